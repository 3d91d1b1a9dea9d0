typedef int wasm_libc_empty_unit;
