/* Scanners go from character to character by `lexer->advance(lexer, skip)`, and that is done here: see text.h. Most call it in a
 * function of the same name, with one argument, which stays as it is. Included before a scanner.c. */
#include <tree_sitter/parser.h>
#include "text.h"
#define ADVANCE_1(lexer) advance(lexer)
#define ADVANCE_2(lexer, skip) lookahead, text_advance(lexer, skip)
#define ADVANCE_OF(first, second, count, ...) ADVANCE_##count
#define advance(...) ADVANCE_OF(__VA_ARGS__, 2, 1, 0)(__VA_ARGS__)

/* Most of what scanners ask for is of ASCII, and found without a table. */
#if __has_include(<wctype.h>)
#include <wctype.h>
static inline int iswspace_ascii_first(wint_t c) {
  return c < 0x80 ? c == ' ' || (c >= '\t' && c <= '\r') : iswspace(c);
}
static inline int iswalpha_ascii_first(wint_t c) {
  return c < 0x80 ? (c | 0x20) >= 'a' && (c | 0x20) <= 'z' : iswalpha(c);
}
#define iswspace iswspace_ascii_first
#define iswalpha iswalpha_ascii_first
#endif

/* Before each token a scanner is told its state: Python's and YAML's free their arrays for that and make them anew, up to a
 * twentieth of a parse. Here they keep the memory, which is freed where they end. */
#if __has_include(<tree_sitter/array.h>)
#include <tree_sitter/array.h>
#define TOLD "deserialize"
#define IS_BEING_TOLD \
  (sizeof(__func__) >= sizeof(TOLD) && __builtin_strcmp(__func__ + sizeof(__func__) - sizeof(TOLD), TOLD) == 0)
#undef array_delete
#define array_delete(array) (IS_BEING_TOLD ? (void)array_clear(array) : (ts_free((array)->contents), (void)array_init(array)))
#endif
