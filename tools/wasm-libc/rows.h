/* What is kept of a lexer's states: see lexer.h. */
#ifndef WASM_ROWS_H_
#define WASM_ROWS_H_
#include "text.h"

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

/* Runs a lexer. In tree-sitter.c, where it is one function for all languages and compiled for speed. */
bool lex_by_rows(TSLexer *lexer, TSStateId state, LexerStates *states, LexerRow *rows);
#endif
