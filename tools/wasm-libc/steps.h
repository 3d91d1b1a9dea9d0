/* What src/code/syntax/steps.rs asks of a tree, each in one call: by the cursor's own functions it takes several for each node,
 * also for those that are then passed over. Behind tree_cursor.c. */

/* Goes to a part of a node that is of one of the kinds or goes on behind a byte: the first of the node at the cursor or, when
 * the cursor is at a part, the first behind that. Where there is none, to the node, and gives no node. Does not keep up the
 * cursor's index of descendants. */
TSNode ts_tree_cursor_goto_wanted(
  TSTreeCursor *cursor, bool is_at_part, const bool *kinds, uint32_t kind_count, int32_t behind
) {
  TreeCursor *self = (TreeCursor *)cursor;
  const TSLanguage *language = self->tree->language;
  uint32_t node = self->stack.size - 1;
  if (is_at_part) {
    do node--;
    while (!ts_tree_cursor_is_entry_visible(self, node));
  }
  for (bool goes_up = is_at_part;;) {
    TreeCursorEntry part = {0};
    Length end = length_zero();
    if (goes_up) {
      part = array_pop(&self->stack);
      end = length_add(part.position, ts_subtree_size(*part.subtree));
      part.child_index++;
      if (!ts_subtree_extra(*part.subtree)) part.structural_child_index++;
    }
    const TreeCursorEntry *around = array_back(&self->stack);
    uint32_t count = ts_subtree_child_count(*around->subtree);
    const TSSymbol *aliases = NULL;
    if (count > 0) aliases = ts_language_alias_sequence(language, around->subtree->ptr->production_id);
    for (goes_up = true; part.child_index < count; part.child_index++) {
      part.subtree = &ts_subtree_children(*around->subtree)[part.child_index];
      Subtree subtree = *part.subtree;
      part.position = part.child_index > 0 ? length_add(end, ts_subtree_padding(subtree)) : around->position;
      end = length_add(part.position, ts_subtree_size(subtree));
      bool is_extra = ts_subtree_extra(subtree);
      TSSymbol alias = aliases && !is_extra ? aliases[part.structural_child_index] : 0;
      bool goes_on = (int32_t)end.bytes > behind;
      if (alias || ts_subtree_visible(subtree)) {
        TSSymbol kind = ts_language_public_symbol(language, alias ? alias : ts_subtree_symbol(subtree));
        if (goes_on || (kind < kind_count && kinds[kind])) {
          array_push(&self->stack, part);
          return ts_node_new(self->tree, part.subtree, part.position, alias);
        }
      } else if ((goes_on || kind_count > 0) && ts_subtree_visible_child_count(subtree) > 0) {
        array_push(&self->stack, part);
        goes_up = false;
        break;
      }
      if (!is_extra) part.structural_child_index++;
    }
    if (goes_up && self->stack.size == node + 1) return ts_node__null();
  }
}

/* Gives the child of a node with a field, if there is one, and whether it can be the only one. */
bool ts_node_only_child_of_field(TSNode node, TSFieldId field, TSNode *child) {
  *child = ts_node__null();
  Subtree subtree = ts_node__subtree(node);
  if (ts_subtree_child_count(subtree) == 0) return true;
  const TSFieldMapEntry *entry, *end, *only = NULL;
  ts_language_field_map(node.tree->language, subtree.ptr->production_id, &entry, &end);
  for (; entry < end; entry++) {
    if (entry->field_id != field) continue;
    if (only || entry->inherited) return false;
    only = entry;
  }
  TSNode part;
  NodeChildIterator parts = ts_node_iterate_children(&node);
  while (only && ts_node_child_iterator_next(&parts, &part)) {
    if (ts_subtree_extra(ts_node__subtree(part)) || parts.structural_child_index <= only->child_index) continue;
    *child = part;
    return ts_node__is_relevant(part, true);
  }
  return true;
}
