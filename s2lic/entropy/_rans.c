/* The range coder of s2lic/entropy/rans.py in C: the same bytes, on arrays instead of lists.
 *
 * rANS after Duda (arXiv 1311.2540) in the 64-bit form of Giesen (arXiv 1402.3392). The state lies in [2^31, 2^63),
 * frequencies sum to 2^16, and words of 32 bits leave it little-endian. The functions are called through ctypes, so
 * that one build serves every version of Python. They check every index; the tables themselves are checked before.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>

#ifdef _WIN32
#define EXPORT __declspec(dllexport)
#else
#define EXPORT __attribute__((visibility("default")))
#endif

#define PRECISION 16
#define TOTAL ((int32_t)1 << PRECISION)
#define LOWEST ((uint64_t)1 << 31)
/* A state at or above frequency * SPILL would leave [2^31, 2^63) when the symbol is pushed. */
#define SPILL ((uint64_t)1 << 47)

enum { DONE = 0, BAD_ROW = -1, BAD_SYMBOL = -2, OUT_OF_WORDS = -3 };

/* Rows of CDF bounds, laid end to end: row r has sizes[r] bounds from starts[r] on. */
typedef struct {
    const int32_t *cdf, *starts, *sizes, *offsets;
    int32_t count;
} Tables;

static void store(unsigned char *at, uint32_t word)
{
    for (int i = 0; i < 4; i++) at[i] = (unsigned char)(word >> (8 * i));
}

static uint32_t load(const unsigned char *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

/* Writes backwards from the end of `out`, which has room for count + 2 words; returns the words written, or an error. */
EXPORT int64_t s2lic_rans_encode(const int32_t *symbols, const int32_t *rows, int64_t count, const Tables *tables,
                                 unsigned char *out)
{
    unsigned char *at = out + 4 * (count + 2);
    uint64_t state = LOWEST;
    for (int64_t i = count - 1; i >= 0; i--) {
        int32_t row = rows[i];
        if (row < 0 || row >= tables->count) return BAD_ROW;
        const int32_t *cdf = tables->cdf + tables->starts[row];
        int64_t slot = (int64_t)symbols[i] - tables->offsets[row];
        if (slot < 0 || slot >= tables->sizes[row] - 2) return BAD_SYMBOL;
        uint64_t start = (uint64_t)cdf[slot], frequency = (uint64_t)(cdf[slot + 1] - cdf[slot]);
        if (state >= frequency * SPILL) {
            store(at -= 4, (uint32_t)state);
            state >>= 32;
        }
        state = ((state / frequency) << PRECISION) + state % frequency + start;
    }
    store(at -= 4, (uint32_t)(state >> 32));
    store(at -= 4, (uint32_t)state);
    return count + 2 - (at - out) / 4;
}

/* Reads one symbol per row from `words`, of which *next have been read; moves *state and *next on. */
EXPORT int64_t s2lic_rans_decode(const unsigned char *words, int64_t word_count, uint64_t *state, int64_t *next,
                                 const int32_t *rows, int64_t count, const Tables *tables, int16_t *symbols)
{
    uint64_t now = *state;
    int64_t word = *next;
    for (int64_t i = 0; i < count; i++) {
        int32_t row = rows[i];
        if (row < 0 || row >= tables->count) return BAD_ROW;
        const int32_t *cdf = tables->cdf + tables->starts[row];
        int32_t low = (int32_t)(now & (TOTAL - 1)), slot = 0, end = tables->sizes[row] - 2;
        while (end - slot > 1) { /* cdf[slot] <= low < cdf[end] */
            int32_t middle = slot + (end - slot) / 2;
            if (cdf[middle] <= low) slot = middle;
            else end = middle;
        }
        now = (uint64_t)(cdf[slot + 1] - cdf[slot]) * (now >> PRECISION) + (uint64_t)(low - cdf[slot]);
        if (now < LOWEST) {
            if (word >= word_count) return OUT_OF_WORDS;
            now = now << 32 | load(words + 4 * word++);
        }
        symbols[i] = (int16_t)(slot + tables->offsets[row]);
    }
    *state = now;
    *next = word;
    return DONE;
}

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, .m_name = "_rans", .m_size = -1};

PyMODINIT_FUNC PyInit__rans(void)
{
    return PyModule_Create(&module);
}
