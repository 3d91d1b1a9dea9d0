/* Scanners go from character to character by `lexer->advance(lexer, skip)`, and that is done here: see text.h. Most call it in a
 * function of the same name, with one argument, which stays as it is. Included before a scanner.c. */
#include <tree_sitter/parser.h>
#include "text.h"
#define ADVANCE_1(lexer) advance(lexer)
#define ADVANCE_2(lexer, skip) lookahead, text_advance(lexer, skip)
#define ADVANCE_OF(first, second, count, ...) ADVANCE_##count
#define advance(...) ADVANCE_OF(__VA_ARGS__, 2, 1, 0)(__VA_ARGS__)
