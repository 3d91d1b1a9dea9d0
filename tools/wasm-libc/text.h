/* How tree-sitter's own lexer keeps its place in the text, for grammars' lexers and scanners that go on by themselves: a call for each
 * character costs a runtime more than what is done there. tree-sitter.c holds it equal to the original. */
#ifndef WASM_TEXT_H_
#define WASM_TEXT_H_
#include <stdbool.h>
#include <stdint.h>

typedef struct {
  uint32_t bytes, row, column;
} TextPlace;

typedef struct {
  uint32_t start_row, start_column, end_row, end_column, start_byte, end_byte;
} TextRange;

typedef struct {
  TSLexer data;
  TextPlace at, token_start, token_end;
  const TextRange *ranges;
  const uint8_t *chunk;
  struct {
    void *payload, *read;
    uint32_t encoding;
    void *decode;
  } input;
  void *logger[2];
  uint32_t range_count, range, chunk_start, chunk_size, lookahead_size;
  bool did_get_column;
  uint32_t column;
  bool is_column_known;
} Text;

#define TEXT_UTF8 0

/* As `lexer->advance`; here from one ASCII character to the next on the same line. */
static inline __attribute__((always_inline)) void text_advance(TSLexer *lexer, bool skip) {
  Text *text = (Text *)lexer;
  uint32_t next = text->at.bytes + 1, place = next - text->chunk_start;
  if (
    text->chunk && text->lookahead_size == 1 && lexer->lookahead != '\n' && place < text->chunk_size &&
    next < text->ranges[text->range].end_byte && text->input.encoding == TEXT_UTF8 && text->chunk[place] < 0x80
  ) {
    text->at.bytes++;
    text->at.column++;
    if (text->is_column_known) text->column++;
    if (skip) text->token_start = text->at;
    lexer->lookahead = text->chunk[place];
  } else {
    lexer->advance(lexer, skip);
  }
}
#endif
