// Questions about sixteen bytes at once. Swift has the vectors, but no operation that makes the
// sixteen answers one number, which is a single instruction on most processors.
#pragma once
#include <stdint.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

typedef uint8_t kanmon_bytes __attribute__((ext_vector_type(16)));
typedef char kanmon_answers __attribute__((ext_vector_type(16)));

// One bit for each answer, the first in the lowest place. An answer is all ones or all zeros.
static inline uint32_t kanmon_marks(kanmon_answers answers) {
#if defined(__SSE2__)
    return (uint32_t)_mm_movemask_epi8((__m128i)answers);
#elif defined(__aarch64__)
    const uint8x16_t weights = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
    uint8x16_t bits = vandq_u8((uint8x16_t)answers, weights);
    return vaddv_u8(vget_low_u8(bits)) | (uint32_t)vaddv_u8(vget_high_u8(bits)) << 8;
#else
    uint32_t marks = 0;
    for (int index = 0; index < 16; index++) marks |= (uint32_t)(answers[index] & 1) << index;
    return marks;
#endif
}

// Where two blocks differ.
static inline uint32_t kanmon_differences(kanmon_bytes first, kanmon_bytes second) {
    return kanmon_marks(first != second);
}

// What ends a quoted text, or must not stand in it as it is: a quote, a backslash, a line feed.
static inline uint32_t kanmon_quote_ends(kanmon_bytes bytes) {
    return kanmon_marks((bytes == '"') | (bytes == '\\') | (bytes == '\n'));
}

// What ends a HELP text, or needs a look: a line feed, a backslash.
static inline uint32_t kanmon_help_ends(kanmon_bytes bytes) {
    return kanmon_marks((bytes == '\n') | (bytes == '\\'));
}

static inline uint32_t kanmon_line_feeds(kanmon_bytes bytes) {
    return kanmon_marks(bytes == '\n');
}

// What may stand before a value: a blank, a closing brace.
static inline uint32_t kanmon_value_heads(kanmon_bytes bytes) {
    return kanmon_marks((bytes == ' ') | (bytes == '\t') | (bytes == '}'));
}

// Bytes beyond ASCII.
static inline uint32_t kanmon_not_ascii(kanmon_bytes bytes) {
    return kanmon_marks(bytes >= 0x80);
}

static inline uint32_t kanmon_not_digits(kanmon_bytes bytes) {
    return kanmon_marks((kanmon_bytes)(bytes - '0') > 9);
}

// What cannot stand in a name: all but letters, '_', digits, and in metric names ':', which follows
// the digits.
static inline uint32_t kanmon_not_in_name(kanmon_bytes bytes, uint8_t last_digit) {
    kanmon_bytes letters = (bytes | 0x20) - 'a';
    kanmon_bytes digits = bytes - '0';
    return kanmon_marks((letters > 25) & (digits > (uint8_t)(last_digit - '0')) & (bytes != '_'));
}

// The first bytes as two words, zeros for the others; at most sixteen. No branch, since nothing
// foretells how many, and a mask that is loaded is cheaper than one that is shifted into place.
typedef uint64_t kanmon_words __attribute__((ext_vector_type(2)));
static inline kanmon_words kanmon_first(kanmon_bytes bytes, uint32_t count) {
    static const uint8_t mask[32] = {255, 255, 255, 255, 255, 255, 255, 255,
                                     255, 255, 255, 255, 255, 255, 255, 255};
    kanmon_bytes kept;
    __builtin_memcpy(&kept, mask + 16 - (count & 15), 16);
    return (kanmon_words)(bytes & kept);
}
