// The C API of libmoert, the runtime of .moe files (see moert_artifact.h). C11 and C++.
//
// Rules that hold for every function
//   Status      Functions that can fail return moert_status_t; moert_last_error() then says what was wrong. They never
//               abort and never throw, also when memory runs out. A failed call leaves its `out_` parameters untouched
//               unless it says otherwise.
//   Ownership   What a `_create`, `_open` or `_fork` returns is released by the matching `_destroy` or `_close`, which
//               accept NULL. Strings and arrays that a program returns live as long as the program.
//   Threads     A program is immutable: any number of threads may use it at once. A session serves one caller at a time
//               (a second call at the same time gets MOERT_BUSY, apart from moert_session_cancel). Several sessions on
//               one program may run at once.
//   Options     Option and info structures start with their size, so that they can grow: set it to sizeof the
//               structure, or start from the _INIT macro. NULL options mean the defaults; so does a zero field.
//   Trust       A .moe file contains machine code that runs with the rights of the process. Hashes detect damage, not
//               malice: open only files you trust, or require a signature (moert_program_options_t).
#ifndef MOERT_MOERT_H
#define MOERT_MOERT_H

#include "moert_artifact.h"

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define MOERT_API __attribute__((visibility("default")))
#else
#define MOERT_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define MOERT_VERSION_MAJOR 0
#define MOERT_VERSION_MINOR 1
#define MOERT_VERSION_PATCH 0

typedef enum {
  MOERT_OK = 0,
  MOERT_INVALID_ARGUMENT = 1, // the call itself is wrong: null pointer, index out of range, unknown option
  MOERT_OUT_OF_MEMORY = 2,
  MOERT_IO_ERROR = 3,         // a file cannot be opened or read
  MOERT_INVALID_FILE = 4,     // not a .moe file, truncated, damaged or inconsistent; or saved state of that kind
  MOERT_UNSUPPORTED = 5,      // the file needs a newer runtime or another processor or device
  MOERT_BAD_INPUT = 6,        // number, type, shape or values of the inputs do not fit the program
  MOERT_BUFFER_TOO_SMALL = 7, // an output does not fit the caller's buffer
  MOERT_RUN_FAILED = 8,       // the program found something it cannot process
  MOERT_CANCELLED = 9,
  MOERT_BUSY = 10,     // the session is in another call
  MOERT_UNTRUSTED = 11 // the file is not signed by the key that was asked for
} moert_status_t;

// Version of the library as MAJOR * 10000 + MINOR * 100 + PATCH, and as text.
MOERT_API uint32_t moert_version(void);
MOERT_API const char *moert_version_string(void);

// Name of a status ("invalid file") and of an element type ("f32"); never NULL.
MOERT_API const char *moert_status_name(moert_status_t status);
MOERT_API const char *moert_element_type_name(uint32_t element_type);
// Bytes of one element; 0 for an unknown type.
MOERT_API uint64_t moert_element_type_size(uint32_t element_type);

// What was wrong in the last failed call on this thread; "" if none failed yet. Valid until the next call on this
// thread. At most 1023 bytes; longer messages are cut.
MOERT_API const char *moert_last_error(void);

// --- Programs --------------------------------------------------------------------------------------------------------

typedef struct moert_program moert_program_t;

enum {
  MOERT_LOAD_MAP = 0, // weights are mapped from the file; the file must not change while the program is open
  MOERT_LOAD_READ = 1 // weights are read into memory, with huge pages where the system grants them
};

typedef struct {
  size_t size;
  uint32_t load;       // MOERT_LOAD_*
  uint32_t verify;     // non-zero: also check the hash of the weights, which reads all of them
  const char *variant; // name of the code variant to use; NULL: the first that this processor can run
  // An Ed25519 public key of 32 bytes: open only files that are signed with its secret key; NULL: any file. The
  // signature covers code and tables, which are checked before they are used, and the hash of the weights: their bytes
  // are checked only with `verify` or by moert_program_verify, and with MOERT_LOAD_MAP may still change afterwards.
  const uint8_t *require_signature;
} moert_program_options_t;
#define MOERT_PROGRAM_OPTIONS_INIT                                                                                     \
  { sizeof(moert_program_options_t), 0, 0, NULL, NULL }

MOERT_API moert_status_t moert_program_open(const char *path, const moert_program_options_t *options,
                                            moert_program_t **out_program);
// `bytes` is a whole file; it is copied and not used after the call.
MOERT_API moert_status_t moert_program_open_memory(const void *bytes, size_t byte_count,
                                                   const moert_program_options_t *options,
                                                   moert_program_t **out_program);
// Sessions keep what they need of their program: it may be closed before them.
MOERT_API void moert_program_close(moert_program_t *program);
// Checks the hash of the weights.
MOERT_API moert_status_t moert_program_verify(const moert_program_t *program);

typedef struct {
  size_t size;
  const char *name;
  uint32_t element_type;
  uint32_t rank;
  const int64_t *dims; // >= 0 an extent, -1 - s the symbol s
} moert_tensor_info_t;

MOERT_API size_t moert_program_input_count(const moert_program_t *program);
MOERT_API size_t moert_program_output_count(const moert_program_t *program);
MOERT_API moert_status_t moert_program_input(const moert_program_t *program, size_t index,
                                             moert_tensor_info_t *out_info);
MOERT_API moert_status_t moert_program_output(const moert_program_t *program, size_t index,
                                              moert_tensor_info_t *out_info);
// Position of the input or output of this name; -1 if there is none.
MOERT_API int64_t moert_program_find_input(const moert_program_t *program, const char *name);
MOERT_API int64_t moert_program_find_output(const moert_program_t *program, const char *name);
// Name of a symbolic dimension; NULL if there is no such symbol.
MOERT_API const char *moert_program_symbol(const moert_program_t *program, size_t symbol);

// Key/value pairs about the file: "compiler", "options", "source", "opsets".
MOERT_API size_t moert_program_info_count(const moert_program_t *program);
MOERT_API moert_status_t moert_program_info(const moert_program_t *program, size_t index, const char **out_key,
                                            const char **out_value);
// Name of the code variant in use on this processor; of a file without code for it, that of the first variant for GPUs.
MOERT_API const char *moert_program_variant(const moert_program_t *program);

typedef struct {
  size_t size;
  const char *name;
  const void *code; // where its machine code starts; NULL without code for this processor
  uint64_t code_size;
} moert_kernel_info_t;

MOERT_API size_t moert_program_kernel_count(const moert_program_t *program);
MOERT_API moert_status_t moert_program_kernel(const moert_program_t *program, size_t index,
                                              moert_kernel_info_t *out_info);

// The Ed25519 public key of 32 bytes that the file is signed with; NULL if it is not signed. Anyone can sign with some
// key: what matters is whose it is.
MOERT_API const uint8_t *moert_program_signer(const moert_program_t *program);
// Bytes of all weights as stored.
MOERT_API uint64_t moert_program_weight_bytes(const moert_program_t *program);

typedef struct {
  size_t size;
  const char *name;
  uint32_t element_type;
  uint32_t encoding; // MOERT_ENCODING_*
  uint32_t rank;
  const int64_t *dims;        // logical extents
  uint64_t offset, byte_size; // in the weight data
} moert_weight_info_t;

MOERT_API size_t moert_program_weight_count(const moert_program_t *program);
MOERT_API moert_status_t moert_program_weight(const moert_program_t *program, size_t index,
                                              moert_weight_info_t *out_info);

typedef struct {
  size_t size;
  const char *name, *form, *router;
  uint32_t experts, selected;
  size_t range_count; // byte ranges of its experts
} moert_layer_info_t;

MOERT_API size_t moert_program_layer_count(const moert_program_t *program);
MOERT_API moert_status_t moert_program_layer(const moert_program_t *program, size_t layer,
                                             moert_layer_info_t *out_info);
// `range` counts from 0 within the layer.
MOERT_API moert_status_t moert_program_expert_range(const moert_program_t *program, size_t layer, size_t range,
                                                    moert_expert_range_t *out_range);

MOERT_API size_t moert_program_state_count(const moert_program_t *program);
MOERT_API moert_status_t moert_program_state(const moert_program_t *program, size_t index, moert_state_t *out_state);

typedef struct {
  size_t size;
  uint32_t kind; // MOERT_TOKENIZER_*
  uint32_t has_bos;
  int64_t bos;
  size_t stop_count;
  const int64_t *stops;
} moert_tokenizer_info_t;

MOERT_API moert_status_t moert_program_tokenizer(const moert_program_t *program, moert_tokenizer_info_t *out_info);

// --- Sessions --------------------------------------------------------------------------------------------------------

typedef struct moert_session moert_session_t;

// Calls body(body_context, i) once for each i in [0, count), on any threads, and returns when all have returned.
typedef void (*moert_parallel_for_fn)(void *context, int64_t count, void (*body)(void *body_context, int64_t index),
                                      void *body_context);

// Called between dispatches with the number finished in this run. A non-zero result cancels the run.
typedef int (*moert_progress_fn)(void *context, uint64_t dispatches);

// A layer has routed `tokens` tokens to `selected` experts each. experts[t * selected + i] is -1 where a token has
// fewer.
typedef void (*moert_routing_fn)(void *context, size_t layer, int64_t tokens, uint32_t selected, const int32_t *experts,
                                 const float *gates);

// One claim of tasks by one thread.
typedef struct {
  uint32_t thread;    // 0 is the caller
  int64_t begin, end; // tasks
  uint64_t begin_ns, end_ns;
} moert_trace_task_t;

#define MOERT_NO_EXPERT 0xffffffffu

// Bytes of the weight data that a claim reads for one expert, or in a product that is not routed.
typedef struct {
  size_t task; // which of the dispatch's claims
  uint32_t weight;
  uint32_t expert; // or MOERT_NO_EXPERT
  uint64_t offset, byte_size;
} moert_trace_read_t;

// Something that a device has counted: "instructions", "lane_instructions".
typedef struct {
  const char *name;
  uint64_t value;
} moert_trace_counter_t;

// One dispatch, reported by the calling thread when it is done. Times are of CLOCK_MONOTONIC. Pointers are valid during
// the call.
typedef struct {
  size_t size;
  const char *node, *kernel;
  int64_t grid, work;
  uint64_t begin_ns, end_ns;
  const uint32_t *weights; // indices of the weights among its operands
  size_t weight_count;
  const moert_trace_task_t *tasks;
  size_t task_count;
  uint64_t allocations; // blocks this session has taken from the system so far
  // What claims read, ordered by claim and offset, as far as the file tells.
  const moert_trace_read_t *reads;
  size_t read_count;
  int64_t blocks;                        // of the launch; 0 on a CPU
  const moert_trace_counter_t *counters; // of the launch; none on a device that does not count
  size_t counter_count;
} moert_trace_dispatch_t;
typedef void (*moert_trace_fn)(void *context, const moert_trace_dispatch_t *dispatch);

// Callbacks run on the thread that called the session, must not throw, and must not call the session, except for
// moert_session_cancel.
typedef struct {
  size_t size;
  uint32_t thread_count;              // including the caller; 0: one per processor the caller may run on
  moert_parallel_for_fn parallel_for; // the host's threads instead of the session's own
  void *parallel_for_context;
  moert_progress_fn progress;
  void *progress_context;
  moert_routing_fn routing;
  void *routing_context;
  moert_trace_fn trace;
  void *trace_context;
  // What to run on; NULL: "cpu". "cuda" is the first NVIDIA GPU, "cuda:1" the second. "emu:sm_80" is an emulated GPU,
  // which checks every access of a kernel; it is slow and says nothing about time. With "emu:sm_80,seed=7" warps take
  // turns, and asynchronous copies land, in an order that the seed decides; with "emu:sm_80,limit=1000000" a block that
  // executes more instructions counts as endless.
  const char *device;
} moert_session_options_t;
#define MOERT_SESSION_OPTIONS_INIT                                                                                     \
  { sizeof(moert_session_options_t), 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL }

// Dense row-major elements in host memory. Any alignment works; a multiple of MOERT_BUFFER_ALIGNMENT avoids a copy.
// `data` may be NULL when there are no elements.
//
// As an output, `data` and `byte_size` come in as the caller's buffer and its capacity, or as NULL and 0 for memory of
// the session. All fields go out filled. `dims`, and `data` where it belongs to the session, live until the next run or
// step of the session or until it is destroyed.
typedef struct {
  uint32_t element_type;
  uint32_t rank;
  const int64_t *dims;
  void *data;
  uint64_t byte_size;
} moert_tensor_view_t;

MOERT_API moert_status_t moert_session_create(const moert_program_t *program, const moert_session_options_t *options,
                                              moert_session_t **out_session);
MOERT_API void moert_session_destroy(moert_session_t *session);

// Runs the program on all inputs, in signature order. `outputs` are all outputs in signature order, or none
// (NULL and 0): see moert_session_output. After a failure the contents of the caller's output buffers are unspecified;
// `outputs` themselves are untouched. Repeated runs with shapes seen before take no memory from the system.
MOERT_API moert_status_t moert_session_run(moert_session_t *session, const moert_tensor_view_t *inputs,
                                           size_t input_count, moert_tensor_view_t *outputs, size_t output_count);

// Like moert_session_run, without the inputs and outputs that carry state: the session feeds what the previous step
// left, at first nothing along the axis of a state that grows, zeros for one that is replaced. A failed step leaves the
// state as it was.
MOERT_API moert_status_t moert_session_step(moert_session_t *session, const moert_tensor_view_t *inputs,
                                            size_t input_count, moert_tensor_view_t *outputs, size_t output_count);

// Output `index`, in signature order, of the last run or step, if that succeeded.
MOERT_API moert_status_t moert_session_output(moert_session_t *session, size_t index, moert_tensor_view_t *out_view);

// Makes the run in progress, if any, return MOERT_CANCELLED soon. May be called from any thread, also from callbacks.
MOERT_API void moert_session_cancel(moert_session_t *session);

// Threads of the host that work on a run, including the caller.
MOERT_API uint32_t moert_session_thread_count(const moert_session_t *session);

// Bytes of working memory the session holds now: buffers between kernels, outputs, state and scratch.
MOERT_API uint64_t moert_session_memory(const moert_session_t *session);
// Bytes of working memory that a run on inputs of these shapes needs at its peak. Nothing runs, and `data` of the views
// is not read. MOERT_UNSUPPORTED where the program's sizes depend on values.
MOERT_API moert_status_t moert_session_estimate(moert_session_t *session, const moert_tensor_view_t *inputs,
                                                size_t input_count, uint64_t *out_bytes);

// --- State of steps --------------------------------------------------------------------------------------------------

// Extent of the state along its growing axis: how many positions it holds. 0 without a state that grows.
MOERT_API int64_t moert_session_state_length(const moert_session_t *session);
// Forgets the state.
MOERT_API moert_status_t moert_session_state_reset(moert_session_t *session);
// Keeps the first `length` positions. MOERT_UNSUPPORTED where a state is replaced by each step, unless all or no
// positions are kept.
MOERT_API moert_status_t moert_session_state_truncate(moert_session_t *session, int64_t length);
// A new session on the same program, with the same options and a copy of the state.
MOERT_API moert_status_t moert_session_state_fork(moert_session_t *session, moert_session_t **out_session);
// Writes the state to `bytes`. With a `capacity` too small it sets only *out_size and returns MOERT_BUFFER_TOO_SMALL.
MOERT_API moert_status_t moert_session_state_save(moert_session_t *session, void *bytes, size_t capacity,
                                                  size_t *out_size);
// Replaces the state by one saved from a session of the same program. Damaged or foreign bytes are refused.
MOERT_API moert_status_t moert_session_state_load(moert_session_t *session, const void *bytes, size_t byte_count);

// --- DLPack ----------------------------------------------------------------------------------------------------------

// The structure of DLPack 1.x; include dlpack.h before or after this header to work with it.
struct DLManagedTensorVersioned;

// A view of a tensor for use as input, or as output if `for_output` is non-zero. The tensor stays the caller's and must
// live as long as the view is used. Refused: other devices than the CPU, gaps between elements, lanes, other major
// versions, and read-only tensors as outputs.
MOERT_API moert_status_t moert_view_from_dlpack(const struct DLManagedTensorVersioned *tensor, int for_output,
                                                moert_tensor_view_t *out_view);
// A copy of a view as a tensor of its own, released by its deleter.
MOERT_API moert_status_t moert_view_to_dlpack(const moert_tensor_view_t *view,
                                              struct DLManagedTensorVersioned **out_tensor);

#ifdef __cplusplus
}
#endif
#endif // MOERT_MOERT_H
