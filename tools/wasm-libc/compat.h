/* What grammars use and the headers of tree-sitter-language lack. */
#ifndef WASM_COMPAT_H_
#define WASM_COMPAT_H_
#if __has_include(<wctype.h>)
#include <ctype.h>
#include <wchar.h>
#define static_assert _Static_assert
static inline int isdigit(int c) { return c >= '0' && c <= '9'; }
__attribute__((noreturn)) static inline void exit(int code) { __builtin_trap(); }
#endif
#endif
