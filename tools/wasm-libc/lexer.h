/* A grammar's lexer is one function, a loop around a switch of a thousand states. LLVM's pass for irreducible control flow
 * takes time and memory with the square of a loop's blocks: half a minute for Bash, more than three and 2.8 GB for Swift.
 * Here the same states are a function without a loop, called by one: seconds for both. Included before a parser.c. */
#include <tree_sitter/parser.h>
#include "rows.h"

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
