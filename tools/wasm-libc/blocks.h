/* Memory for tree-sitter: a tree is hundreds of thousands of blocks of some ten sizes. The allocator behind malloc looks for the
 * block that fits best and puts headers of twelve bytes before each, which took up to a seventh of a parse. Here blocks of one
 * size are cut from a page, in order, and a page finds its free blocks by itself, as in mimalloc (Leijen, Zorn and de Moura,
 * 2019); one without a block in use goes back, so that what a tree took can become anything. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* A page begins at a multiple of 64 KiB and leaves room for what the allocator puts before the next. */
#define PAGE_BITS 16
#define PAGE_BYTES ((1u << PAGE_BITS) - 8)
/* Sizes are multiples of this, and a block is as aligned as its size. Larger blocks than the last size are left to malloc. */
#define BLOCK_STEP 4u
#define BLOCK_SIZES 65u

typedef struct Block {
  struct Block *next;
} Block;

_Static_assert(sizeof(Block) <= BLOCK_STEP, "a free block holds the place of the next");

typedef struct Page {
  /* among the pages of its size that have room */
  struct Page *next, *previous;
  Block *free;
  uint32_t size;
  /* Blocks that were never used, and where they begin. */
  uint32_t fresh, fresh_start;
  uint32_t used;
} Page;

#define PAGE_HEADER ((sizeof(Page) + 7) / 8 * 8)

/* src/code/syntax/pages.rs: memory of PAGE_BYTES, or NULL. */
void *page_take(void);
void page_give(void *page);

static Page *pages_with_room[BLOCK_SIZES];
/* Of each part of the memory, whether it is a page. */
static bool is_page[1u << (32 - PAGE_BITS)];

static inline Page *page_of(const void *block) {
  size_t number = (size_t)block >> PAGE_BITS;
  return is_page[number] ? (Page *)(number << PAGE_BITS) : NULL;
}

static inline void page_link(Page *page) {
  Page **first = &pages_with_room[page->size / BLOCK_STEP];
  page->previous = NULL;
  page->next = *first;
  if (*first) (*first)->previous = page;
  *first = page;
}

static inline void page_unlink(Page *page) {
  if (page->previous) {
    page->previous->next = page->next;
  } else {
    pages_with_room[page->size / BLOCK_STEP] = page->next;
  }
  if (page->next) page->next->previous = page->previous;
}

static __attribute__((noinline)) Page *page_new(uint32_t size) {
  Page *page = page_take();
  if (!page) return NULL;
  *page = (Page){.size = size, .fresh = (PAGE_BYTES - PAGE_HEADER) / size, .fresh_start = PAGE_HEADER};
  is_page[(size_t)page >> PAGE_BITS] = true;
  page_link(page);
  return page;
}

static void *block_malloc(size_t bytes) {
  uint32_t number = (uint32_t)((bytes + BLOCK_STEP - 1) / BLOCK_STEP);
  if (number - 1 >= BLOCK_SIZES - 1) return malloc(bytes);
  Page *page = pages_with_room[number];
  if (!page) page = page_new(number * BLOCK_STEP);
  if (!page) return NULL;
  Block *block = page->free;
  if (block) {
    page->free = block->next;
  } else {
    block = (Block *)((char *)page + page->fresh_start);
    page->fresh_start += page->size;
    page->fresh--;
  }
  page->used++;
  if (!page->free && page->fresh == 0) page_unlink(page);
  return block;
}

static void block_free(void *block) {
  Page *page = page_of(block);
  if (!page) {
    free(block);
    return;
  }
  bool had_room = page->free || page->fresh > 0;
  ((Block *)block)->next = page->free;
  page->free = block;
  page->used--;
  if (!had_room) page_link(page);
  /* the last with room stays, for a block that comes and goes */
  if (page->used == 0 && (page->next || page->previous)) {
    page_unlink(page);
    is_page[(size_t)page >> PAGE_BITS] = false;
    page_give(page);
  }
}

static void *block_calloc(size_t count, size_t size) {
  if (size > 0 && count > SIZE_MAX / size) return NULL;
  void *block = block_malloc(count * size);
  if (block) memset(block, 0, count * size);
  return block;
}

static void *block_realloc(void *block, size_t bytes) {
  Page *page = page_of(block);
  if (!block) return block_malloc(bytes);
  if (!page) return realloc(block, bytes);
  if (bytes > 0 && bytes <= page->size && bytes + BLOCK_STEP > page->size) return block;
  void *moved = block_malloc(bytes);
  if (moved) memcpy(moved, block, bytes < page->size ? bytes : page->size);
  if (moved || bytes == 0) block_free(block);
  return moved;
}
