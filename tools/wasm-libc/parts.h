/* tree-sitter's parser is a function of 28 kB once its parts are copied into it. A runtime that first compiles quickly and
 * then, beside the work, well takes long for so large a one; its parts become fast one by one. Included before its lib.c. */
#include "tree_sitter/api.h"
#include "stack.h"
#include "subtree.h"

#define PART __attribute__((noinline))
static Subtree ts_parser__lex(TSParser *self, StackVersion version, TSStateId parse_state) PART;
static bool ts_parser__advance(TSParser *self, StackVersion version, bool allow_node_reuse) PART;
static unsigned ts_parser__condense_stack(TSParser *self) PART;
#undef PART
