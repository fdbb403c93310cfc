// How the runtime calls a compiled kernel. Shared by compiler and runtime; depends on nothing.
//
// On a CPU a kernel is a function of position-independent code inside a code image of a .moe file. It computes tasks
// [begin, end) of a grid whose size the step program computes; tasks are independent, may run in any order and on any
// thread, and a task's result does not depend on how the grid was split.
//
// On a GPU a kernel is an entry of a PTX module, launched once per dispatch on as many blocks, in one dimension, as the
// step program computes. Its parameters are all 64 bits wide, in this order:
//   buffers    device addresses, otherwise as below, aligned to MOERT_GPU_BUFFER_ALIGNMENT
//   scalars    as below
//   workspace  device memory of the dispatch's size, aligned like a buffer, of unspecified contents
//   flags      MOERT_GPU_FLAG_COUNT words of 32 bits, zero when the launch starts; the kernel leaves them zero
//   status     a word of 32 bits, MOERT_KERNEL_OK when a run starts; a kernel raises it by an atomic maximum
//   tasks      the grid of the dispatch: the number of tasks on a CPU
#ifndef MOERT_KERNEL_ABI_H
#define MOERT_KERNEL_ABI_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// buffers   one pointer per tensor operand, inputs first, then outputs; dense row-major unless `scalars` carries
//           strides. They are aligned to MOERT_BUFFER_ALIGNMENT and never null, even when they hold no elements.
// scalars   the 64-bit integers the kernel was outlined with: dynamic extents and scalar operands.
// scratch   memory private to the calling thread for the duration of the call, of the size the dispatch step computed.
// Returns MOERT_KERNEL_OK or the reason why the data cannot be processed.
typedef int32_t (*moert_kernel_fn_t)(void *const *buffers, const int64_t *scalars, void *scratch, int64_t begin,
                                     int64_t end);

enum {
  MOERT_KERNEL_OK = 0,
  MOERT_KERNEL_INDEX_OUT_OF_RANGE = 1, // an index tensor points outside the tensor it indexes
  MOERT_KERNEL_BAD_VALUE = 2,          // a value for which the operator is undefined
};

enum { MOERT_BUFFER_ALIGNMENT = 64 };
enum {
  MOERT_GPU_BUFFER_ALIGNMENT = 256,
  MOERT_GPU_FLAG_COUNT = 16384,
  MOERT_GPU_EXTRA_PARAMETERS = 4, // workspace, flags, status, tasks
};

#ifdef __cplusplus
}
#endif
#endif // MOERT_KERNEL_ABI_H
