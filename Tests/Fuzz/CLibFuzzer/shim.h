#pragma once
#include <stddef.h>
#include <stdint.h>

// libFuzzer's own main, for programs that have one already. Documented with libFuzzer; Swift's
// toolchain has the library and not the header.
int LLVMFuzzerRunDriver(int *argc, char ***argv, int (*judge)(const uint8_t *bytes, size_t count));
