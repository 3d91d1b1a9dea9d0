/* A grammar's lexer is one function, a loop around a switch of a thousand states. LLVM's pass for irreducible control flow
 * takes time and memory with the square of a loop's blocks: half a minute for Bash, more than three and 2.8 GB for Swift.
 * Here the same states are a function without a loop, called by one: seconds for both. Included before a parser.c. */
#include <tree_sitter/parser.h>
#include "text.h"

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

/* Goes on along the line while the next character and what it leads to are known. Gives whether the lexer stops there. */
static inline bool lex_run(TSLexer *lexer, TSStateId *from_state, LexerRow *rows, bool *accepted) {
  Text *text = (Text *)lexer;
  uint32_t place = text->at.bytes - text->chunk_start, size = text->ranges[0].end_byte - text->chunk_start;
  if (size > text->chunk_size) size = text->chunk_size;
  /* in a text of one range, of UTF-8, at a character of one byte */
  if (text->range != 0 || !text->chunk || text->input.encoding != TEXT_UTF8 || text->lookahead_size != 1 || place >= size) {
    return false;
  }
  const uint8_t *from = text->chunk + place, *last = text->chunk + size - 1;
  const uint8_t *at = from, *start = NULL, *end = NULL;
  TSStateId state = *from_state;
  uint32_t symbol = 0;
  bool stops = false;
  while (state < LEXER_ROWS && *at < LEXER_ASCII) {
    const LexerRow *row = &rows[state];
    uint32_t known = row->next[*at];
    if (!known) break;
    if (row->accepted) {
      symbol = row->accepted;
      end = at;
    }
    stops = known == LEXER_STOP;
    if (stops || at == last || *at == '\n' || at[1] >= LEXER_ASCII) break;
    at++;
    if (known & LEXER_ROW_SKIP) start = at;
    state = (TSStateId)((known & ~LEXER_ROW_SKIP) - 2);
  }
#define PLACE(there) \
  (TextPlace) { text->at.bytes + (uint32_t)((there) - from), text->at.row, text->at.column + (uint32_t)((there) - from) }
  if (end) {
    *accepted = true;
    lexer->result_symbol = (TSSymbol)(symbol - 1);
    text->token_end = PLACE(end);
  }
  if (start) text->token_start = PLACE(start);
  if (text->is_column_known) text->column += (uint32_t)(at - from);
  text->at = PLACE(at);
#undef PLACE
  if (at != from) lexer->lookahead = *at;
  *from_state = state;
  return stops;
}

static bool lex_by_rows(TSLexer *lexer, TSStateId state, LexerStates *states, LexerRow *rows) {
  bool accepted = false;
  for (;;) {
    if (lex_run(lexer, &state, rows, &accepted)) return accepted;
    int32_t lookahead = lexer->lookahead;
    /* the end of the input, too, is read as 0 */
    bool is_kept = state < LEXER_ROWS && lookahead > 0 && lookahead < LEXER_ASCII;
    uint32_t known = is_kept ? rows[state].next[lookahead] : 0;
    if (known) {
      if (rows[state].accepted) {
        accepted = true;
        lexer->result_symbol = (TSSymbol)(rows[state].accepted - 1);
        lexer->mark_end(lexer);
      }
      if (known == LEXER_STOP) return accepted;
      lexer->advance(lexer, (known & LEXER_ROW_SKIP) != 0);
      state = (TSStateId)((known & ~LEXER_ROW_SKIP) - 2);
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
