/* In the place of tree-sitter's lib.c: the same files, and what this makes faster in them. What they give stays the same, as
 * the grammars' own tests hold. A file more, in a version to come, would be a symbol less, with which the build stops. */
#include "tree_sitter/api.h"
#include "blocks.h"
/* also what is called by another name, and what the Rust side frees */
#define ts_malloc ts_malloc_default
#define ts_calloc ts_calloc_default
#define ts_realloc ts_realloc_default
#define ts_free block_free
#define malloc block_malloc
#define calloc block_calloc
#define realloc block_realloc
#define free block_free
#include <alloc.c>
#undef malloc
#undef calloc
#undef realloc
#undef free

#include <language.h>
#include <stack.h>
#include <subtree.h>
/* not the one beside this file */
#include <lexer.h>
#include "text.h"

/* The parser is a function of 28 kB once its parts are copied into it. A runtime that first compiles quickly and then, beside
 * the work, well takes long for so large a one; its parts become fast one by one. */
#define PART __attribute__((noinline))
static Subtree ts_parser__lex(TSParser *self, StackVersion version, TSStateId parse_state) PART;
static bool ts_parser__advance(TSParser *self, StackVersion version, bool allow_node_reuse) PART;
static unsigned ts_parser__condense_stack_any(TSParser *self) PART;
#undef PART

#define OFFSET __builtin_offsetof
#define SAME(ours, theirs) _Static_assert(OFFSET(Text, ours) == OFFSET(Lexer, theirs), #theirs)
SAME(data, data);
SAME(at, current_position);
SAME(at.row, current_position.extent.row);
SAME(at.column, current_position.extent.column);
SAME(token_start, token_start_position);
SAME(token_end, token_end_position);
SAME(ranges, included_ranges);
SAME(chunk, chunk);
SAME(input.encoding, input.encoding);
SAME(range, current_included_range_index);
SAME(chunk_start, chunk_start);
SAME(chunk_size, chunk_size);
SAME(lookahead_size, lookahead_size);
SAME(column, column_data.value);
SAME(is_column_known, column_data.valid);
_Static_assert(OFFSET(TextRange, end_byte) == OFFSET(TSRange, end_byte) && sizeof(TextRange) == sizeof(TSRange), "ranges");
_Static_assert(sizeof(TSInputEncoding) == sizeof(uint32_t) && TSInputEncodingUTF8 == TEXT_UTF8, "encodings");
#undef SAME
#undef OFFSET

/* What a small state does with a symbol is looked for among all that it does something with: up to a tenth of a parse. The
 * last answers are kept, those of one language at a time. */
#define LOOKUPS 8192
typedef struct {
  TSStateId state;
  TSSymbol symbol;
  uint16_t value;
  uint16_t is_kept;
} Lookup;

static uint16_t lookup_kept(const TSLanguage *language, TSStateId state, TSSymbol symbol) {
  static Lookup kept[LOOKUPS];
  static const TSLanguage *of;
  if (state < language->large_state_count) return ts_language_lookup(language, state, symbol);
  if (of != language) {
    memset(kept, 0, sizeof(kept));
    of = language;
  }
  Lookup *found = &kept[(state * 31u + symbol * 2749u) % LOOKUPS];
  if (found->state != state || found->symbol != symbol || !found->is_kept) {
    *found = (Lookup){state, symbol, ts_language_lookup(language, state, symbol), 1};
  }
  return found->value;
}
#define ts_language_lookup lookup_kept

#include <get_changed_ranges.c>
#include <language.c>
#include <lexer.c>
#include <node.c>

/* Where the parser calls these, with `self`, ours are called; they stand where it defines them, with `TSParser *self`. */
#define ts_parser__reduce(first, ...) REDUCE_##first, __VA_ARGS__)
#define REDUCE_TSParser ts_parser__reduce_any(TSParser
#define REDUCE_self ts_parser__reduce_in_place(self
#define ts_parser__condense_stack(first) CONDENSE_##first)
#define CONDENSE_TSParser ts_parser__condense_stack_any(TSParser
#define CONDENSE_self ts_parser__condense_stack_of_one(self
static StackVersion ts_parser__reduce_in_place(
  TSParser *self, StackVersion version, TSSymbol symbol, uint32_t count, int dynamic_precedence, uint16_t production_id,
  bool is_fragile, bool end_of_non_terminal_extra
);
static unsigned ts_parser__condense_stack_of_one(TSParser *self);
#include <parser.c>
#undef ts_parser__reduce
#undef ts_parser__condense_stack

#include <point.c>
#include <query.c>

#define ts_stack_push ts_stack_push_any
#define ts_stack_pop_count ts_stack_pop_count_any
#include <stack.c>
#undef ts_stack_push
#undef ts_stack_pop_count

#define ts_subtree_new_node ts_subtree_new_node_any
#include <subtree.c>
#undef ts_subtree_new_node

#include <tree_cursor.c>
#include "steps.h"
#include <tree.c>
#include <wasm_store.c>
#include "rows.c"

/* As the original, which first clears all links that a node can have. */
void ts_stack_push(Stack *self, StackVersion version, Subtree subtree, bool pending, TSStateId state) {
  StackHead *head = array_get(&self->heads, version);
  StackNode *previous = head->node;
  if (!previous || !subtree.ptr || self->node_pool.size == 0) {
    ts_stack_push_any(self, version, subtree, pending, state);
    return;
  }
  StackNode *node = array_pop(&self->node_pool);
  node->state = state;
  node->position = length_add(previous->position, ts_subtree_total_size(subtree));
  node->links[0] = (StackLink){previous, subtree, pending};
  node->link_count = 1;
  node->ref_count = 1;
  node->error_cost = previous->error_cost + ts_subtree_error_cost(subtree);
  node->node_count = previous->node_count + stack__subtree_node_count(subtree);
  node->dynamic_precedence = previous->dynamic_precedence + ts_subtree_dynamic_precedence(subtree);
  head->node = node;
}

/* Takes the topmost subtrees off a stack of one version, `count` of them and the extras between and behind; gives false where
 * there may be more than one way back, or where another than the stack holds a part of it. */
static bool ts_stack_take(Stack *self, uint32_t count, SubtreeArray *taken) {
  if (self->heads.size != 1) return false;
  StackHead *head = array_get(&self->heads, 0);
  StackNode *bottom = head->node;
  uint32_t subtrees = 0;
  for (uint32_t left = count; left > 0; bottom = bottom->links[0].node) {
    if (bottom->link_count != 1 || bottom->ref_count != 1) return false;
    Subtree subtree = bottom->links[0].subtree;
    if (!subtree.ptr) return false;
    if (!ts_subtree_extra(subtree)) left--;
    subtrees++;
  }
  if (subtrees > 0) {
    /* to the byte what a node of them takes, which is what becomes of it: memory that was never used is slow */
    size_t bytes = ts_subtree_alloc_size(subtrees);
    taken->contents = ts_malloc(bytes);
    taken->capacity = (uint32_t)((bytes + sizeof(Subtree) - 1) / sizeof(Subtree));
    taken->size = subtrees;
  }
  for (StackNode *node = head->node; node != bottom;) {
    StackLink link = node->links[0];
    taken->contents[--subtrees] = link.subtree;
    if (self->node_pool.size < MAX_NODE_POOL_SIZE) {
      array_push(&self->node_pool, node);
    } else {
      ts_free(node);
    }
    node = link.node;
  }
  head->node = bottom;
  return true;
}

/* As the original; here where a stack of one version goes on by this reduction alone. The original makes another version, which
 * then takes the place of the first. */
static StackVersion ts_parser__reduce_in_place(
  TSParser *self, StackVersion version, TSSymbol symbol, uint32_t count, int dynamic_precedence, uint16_t production_id,
  bool is_fragile, bool end_of_non_terminal_extra
) {
  SubtreeArray children = array_new();
  if (is_fragile || !ts_stack_take(self->stack, count, &children)) {
    return ts_parser__reduce_any(
      self, version, symbol, count, dynamic_precedence, production_id, is_fragile, end_of_non_terminal_extra
    );
  }
  ts_subtree_array_remove_trailing_extras(&children, &self->trailing_extras);
  MutableSubtree parent = ts_subtree_new_node(symbol, &children, production_id, self->language);
  TSStateId state = ts_stack_state(self->stack, version);
  TSStateId next_state = ts_language_next_state(self->language, state, symbol);
  if (end_of_non_terminal_extra && next_state == state) parent.ptr->extra = true;
  parent.ptr->parse_state = state;
  parent.ptr->dynamic_precedence += dynamic_precedence;
  ts_stack_push(self->stack, version, ts_subtree_from_mut(parent), false, next_state);
  for (uint32_t i = 0; i < self->trailing_extras.size; i++) {
    ts_stack_push(self->stack, version, *array_get(&self->trailing_extras, i), false, next_state);
  }
  return version;
}

/* As the original; here where there is nothing to condense. */
static unsigned ts_parser__condense_stack_of_one(TSParser *self) {
  if (ts_stack_version_count(self->stack) != 1 || !ts_stack_is_active(self->stack, 0)) {
    return ts_parser__condense_stack_any(self);
  }
  ErrorStatus status = ts_parser__version_status(self, 0);
  return status.is_in_error ? UINT_MAX : status.cost;
}

/* As the original; here where there is one way back, which is nearly always so. */
StackSliceArray ts_stack_pop_count(Stack *self, StackVersion version, uint32_t count) {
  StackNode *top = array_get(&self->heads, version)->node, *bottom = top;
  uint32_t subtrees = 0;
  for (uint32_t left = count; left > 0; bottom = bottom->links[0].node) {
    if (bottom->link_count != 1) return ts_stack_pop_count_any(self, version, count);
    Subtree subtree = bottom->links[0].subtree;
    if (subtree.ptr) subtrees++;
    if (!subtree.ptr || !ts_subtree_extra(subtree)) left--;
  }
  SubtreeArray popped = array_new();
  if (subtrees > 0) array_reserve(&popped, (uint32_t)(ts_subtree_alloc_size(subtrees) / sizeof(Subtree)));
  popped.size = subtrees;
  for (StackNode *node = top; node != bottom; node = node->links[0].node) {
    Subtree subtree = node->links[0].subtree;
    if (!subtree.ptr) continue;
    ts_subtree_retain(subtree);
    popped.contents[--subtrees] = subtree;
  }
  array_clear(&self->slices);
  array_clear(&self->iterators);
  ts_stack__add_slice(self, version, bottom, &popped);
  return self->slices;
}

/* As the original, which adds to the node's sums in memory for each child; here for children without errors. */
MutableSubtree ts_subtree_new_node(
  TSSymbol symbol, SubtreeArray *children, unsigned production_id, const TSLanguage *language
) {
  uint32_t count = children->size;
  bool is_plain = count > 0 && symbol != ts_builtin_sym_error && symbol != ts_builtin_sym_error_repeat;
  if (!is_plain) return ts_subtree_new_node_any(symbol, children, production_id, language);
  const TSSymbol *aliases = ts_language_alias_sequence(language, production_id);
  TSSymbolMetadata metadata = ts_language_symbol_metadata(language, symbol);
  SubtreeHeapData made = {
    .ref_count = 1,
    .symbol = symbol,
    .child_count = count,
    .visible = metadata.visible,
    .named = metadata.named,
    .production_id = (uint16_t)production_id,
  };
  Subtree first = children->contents[0], last = children->contents[count - 1];
  Length padding = ts_subtree_padding(first), size = ts_subtree_size(first);
  uint32_t lookahead_end = 0, error_cost = 0, shown = 0, named = 0, descendants = 0;
  int32_t dynamic_precedence = 0;
  for (uint32_t i = 0, structural_index = 0; i < count; i++) {
    Subtree child = children->contents[i];
    TSSymbol child_symbol = ts_subtree_symbol(child);
    if (
      child_symbol == ts_builtin_sym_error || child_symbol == ts_builtin_sym_error_repeat || ts_subtree_missing(child)
    ) return ts_subtree_new_node_any(symbol, children, production_id, language);
    if (!child.data.is_inline) {
      if (child.ptr->depends_on_column && (i == 0 || size.extent.row == 0)) made.depends_on_column = true;
      if (child.ptr->has_external_scanner_state_change) made.has_external_scanner_state_change = true;
      if (child.ptr->has_external_tokens) made.has_external_tokens = true;
      error_cost += child.ptr->error_cost;
      if (child.ptr->child_count > 0) {
        dynamic_precedence += child.ptr->dynamic_precedence;
        descendants += child.ptr->visible_descendant_count;
      }
    }
    if (i > 0) size = length_add(size, ts_subtree_total_size(child));
    uint32_t looked = padding.bytes + size.bytes + ts_subtree_lookahead_bytes(child);
    if (looked > lookahead_end) lookahead_end = looked;
    bool is_extra = ts_subtree_extra(child);
    TSSymbol alias = aliases && !is_extra && child_symbol != 0 ? aliases[structural_index] : 0;
    if (alias || ts_subtree_visible(child)) {
      descendants++;
      shown++;
      if (alias ? ts_language_symbol_metadata(language, alias).named : ts_subtree_named(child)) named++;
    } else if (ts_subtree_child_count(child) > 0) {
      shown += child.ptr->visible_child_count;
      named += child.ptr->named_child_count;
    }
    if (!is_extra) structural_index++;
  }
  made.padding = padding;
  made.size = size;
  made.lookahead_bytes = lookahead_end - size.bytes - padding.bytes;
  made.error_cost = error_cost;
  made.visible_child_count = shown;
  made.named_child_count = named;
  made.visible_descendant_count = descendants;
  made.dynamic_precedence = dynamic_precedence;
  made.first_leaf.symbol = ts_subtree_leaf_symbol(first);
  made.first_leaf.parse_state = ts_subtree_leaf_parse_state(first);
  made.fragile_left = ts_subtree_fragile_left(first);
  made.fragile_right = ts_subtree_fragile_right(last);
  if (count >= 2 && !metadata.visible && !metadata.named && ts_subtree_symbol(first) == symbol) {
    uint32_t depth = ts_subtree_repeat_depth(first);
    if (ts_subtree_repeat_depth(last) > depth) depth = ts_subtree_repeat_depth(last);
    made.repeat_depth = depth + 1;
  }

  size_t bytes = ts_subtree_alloc_size(count);
  if (children->capacity * sizeof(Subtree) < bytes) {
    children->contents = ts_realloc(children->contents, bytes);
    children->capacity = (uint32_t)(bytes / sizeof(Subtree));
  }
  /* behind its children */
  MutableSubtree result = {.ptr = (SubtreeHeapData *)&children->contents[count]};
  *result.ptr = made;
  return result;
}

#ifdef TREE_SITTER_WASM_STDLIB
#include <wasm-stdlib/libc.c>
#include <wasm-stdlib/stdio.c>
#endif
