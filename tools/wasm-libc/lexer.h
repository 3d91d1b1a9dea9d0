/* A grammar's lexer is one function, a loop around a switch of a thousand states. LLVM's pass for irreducible control flow
 * takes time and memory with the square of a loop's blocks: half a minute for Bash, more than three and 2.8 GB for Swift.
 * Here the same states are a function without a loop, called by one: seconds for both. Included before a parser.c. */
#include <tree_sitter/parser.h>

/* A language's letters are hundreds of ranges. Those of ASCII are the first few, where most characters of a source are found
 * at once; halving all of them took up to a tenth of a parse. */
static inline bool set_contains_ascii_first(const TSCharacterRange *ranges, uint32_t len, int32_t lookahead) {
  if ((uint32_t)lookahead >= 0x80) return set_contains((TSCharacterRange *)ranges, len, lookahead);
  for (uint32_t i = 0; i < len && ranges[i].start <= lookahead; i++) {
    if (lookahead <= ranges[i].end) return true;
  }
  return false;
}
#define set_contains set_contains_ascii_first

/* What a state gives: 0 to stop, else the next state's number + 1, with this bit when the character is layout. */
#define LEXER_SKIP 0x10000
typedef int32_t LexerStates(TSLexer *lexer, TSStateId state, bool *accepted);

/* What a state gives for a character depends on nothing else, so it is kept for those of ASCII: a look at a table takes the
 * place of thirty comparisons, and the states' code, which runtimes take long to compile, is seldom run. The first states
 * of a lexer; few grammars have more. */
#define LEXER_ROWS 512
#define LEXER_ASCII 128
typedef struct {
  /* 0 when it is not known; else 1 to stop, or the next state's number + 2, with LEXER_ROW_SKIP for layout. */
  uint16_t next[LEXER_ASCII];
  /* The symbol that the state accepts + 1, or 0; of a state that was run. */
  uint32_t accepted;
} LexerRow;
#define LEXER_STOP 1
#define LEXER_ROW_SKIP 0x8000

static bool lex_by_rows(TSLexer *lexer, TSStateId state, LexerStates *states, LexerRow *rows) {
  bool accepted = false;
  for (;;) {
    int32_t lookahead = lexer->lookahead;
    /* the end of the input, too, is read as 0 */
    bool is_kept = state < LEXER_ROWS && lookahead > 0 && lookahead < LEXER_ASCII;
    uint32_t known = is_kept ? rows[state].next[lookahead] : 0;
    if (known) {
      uint32_t next = (known & ~LEXER_ROW_SKIP) - 2;
      if (rows[state].accepted) {
        accepted = true;
        /* the next state marks the end anew if it accepts */
        bool is_last = known == LEXER_STOP || next >= LEXER_ROWS || !rows[next].accepted;
        if (is_last) {
          lexer->result_symbol = (TSSymbol)(rows[state].accepted - 1);
          lexer->mark_end(lexer);
        }
      }
      if (known == LEXER_STOP) return accepted;
      lexer->advance(lexer, (known & LEXER_ROW_SKIP) != 0);
      state = (TSStateId)next;
      continue;
    }
    bool accepts = false;
    uint32_t next = (uint32_t)states(lexer, state, &accepts);
    accepted |= accepts;
    bool is_layout = (next & LEXER_SKIP) != 0;
    next &= ~LEXER_SKIP;
    if (is_kept && next < LEXER_ROW_SKIP - 1) {
      rows[state].next[lookahead] = (uint16_t)((next + 1) | (is_layout ? LEXER_ROW_SKIP : 0));
      rows[state].accepted = accepts ? lexer->result_symbol + 1u : 0;
    }
    if (next == 0) return accepted;
    lexer->advance(lexer, is_layout);
    state = (TSStateId)(next - 1);
  }
}

/* These stand where the grammar defines `ts_lex(TSLexer *lexer, TSStateId state)`; as a value the name stays as it is. */
#define ts_lex(lexer, state) LEXER(ts_lex)
#define ts_lex_keywords(lexer, state) LEXER(ts_lex_keywords)
#define LEXER(name)                                                \
  name(TSLexer *lexer, TSStateId state) {                          \
    static LexerRow rows[LEXER_ROWS];                              \
    return lex_by_rows(lexer, state, name##_states, rows);         \
  }                                                                \
  static int32_t name##_states(TSLexer *lexer, TSStateId state, bool *accepted)
static LexerStates ts_lex_states;
static LexerStates ts_lex_keywords_states;

#undef START_LEXER
#undef ADVANCE
#undef ADVANCE_MAP
#undef SKIP
#undef ACCEPT_TOKEN
#undef END_STATE
#define START_LEXER() \
  UNUSED bool eof;    \
  int32_t lookahead = lexer->lookahead;
#define ADVANCE(value) return (value) + 1;
#define ADVANCE_MAP(...)                                               \
  {                                                                    \
    static const uint16_t map[] = {__VA_ARGS__};                       \
    for (uint32_t i = 0; i < sizeof(map) / sizeof(map[0]); i += 2) {   \
      if (map[i] == lookahead) return map[i + 1] + 1;                  \
    }                                                                  \
  }
#define SKIP(value) return ((value) + 1) | LEXER_SKIP;
#define ACCEPT_TOKEN(symbol)     \
  *accepted = true;              \
  lexer->result_symbol = symbol; \
  lexer->mark_end(lexer);
#define END_STATE() return 0;
