#include "rows.h"

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

bool lex_by_rows(TSLexer *lexer, TSStateId state, LexerStates *states, LexerRow *rows) {
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
