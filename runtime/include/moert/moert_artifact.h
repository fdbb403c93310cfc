// The .moe file format, version 2. This header is its specification; compiler and runtime both include it, and it
// depends on nothing. All integers are little endian. All structures are naturally aligned and free of padding.
//
//   file     = header, section table, sections
//   section  = bytes at [offset, offset + size), offset a multiple of MOERT_SECTION_ALIGNMENT,
//              BLAKE2b-256 of the bytes in the table
//
// The first section starts at the first multiple of MOERT_SECTION_ALIGNMENT behind the table, each other one at the
// first multiple at or behind the end of the section before it in the table; the file ends with the last one. No
// section but the weight data exceeds MOERT_MAX_TABLE_BYTES.
//
// Exactly one section of each type exists, except those of code: one MOERT_SECTION_CODE per variant for CPUs and one
// MOERT_SECTION_GPU_CODE per variant for GPUs, at least one in all, in order of preference (the first that a device can
// run is used); MOERT_SECTION_READS and MOERT_SECTION_SEAL may be absent. A reader ignores section types it does not
// know. Bytes of the file outside header, table and sections are zero.
//
// References into another section are indices or {offset, size} pairs relative to that section's start. A reader checks
// every one of them, by subtraction, before use; it copies all sections except MOERT_SECTION_WEIGHT_DATA, verifies the
// hash of the copy, and uses only the copy.
#ifndef MOERT_ARTIFACT_H
#define MOERT_ARTIFACT_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MOERT_MAGIC "MOEFILE\x1a"

enum {
  MOERT_FORMAT_VERSION = 2,      // written by this compiler; older ones are not read
  MOERT_READER_VERSION = 2,      // a file says which reader version it needs at least
  MOERT_SECTION_ALIGNMENT = 65536,
  MOERT_TENSOR_ALIGNMENT = 4096, // of a tensor inside the weight data
  MOERT_MAX_SECTIONS = 64,
  MOERT_MAX_TABLE_BYTES = 1 << 30,
  MOERT_MAX_RANK = 16,
};

typedef struct {
  char magic[8];
  uint32_t format_version;
  uint32_t minimum_reader_version;
  uint64_t file_size;            // detects truncation
  uint32_t section_count;
  uint32_t reserved;             // 0
  uint8_t table_hash[32];        // BLAKE2b-256 of the section table
} moert_file_header_t;           // 64 bytes; the section table follows

enum {
  MOERT_SECTION_STRINGS = 1,     // UTF-8 bytes that moert_string_t refers to
  MOERT_SECTION_INFO = 2,        // moert_info_t[]: key/value pairs for people and tools
  MOERT_SECTION_SYMBOLS = 3,     // moert_string_t[]: names of symbolic dimensions
  MOERT_SECTION_DIMS = 4,        // int64_t[]: >= 0 an extent, -1 - s the symbol s
  MOERT_SECTION_SIGNATURE = 5,   // moert_tensor_t[]: inputs, then outputs
  MOERT_SECTION_WEIGHTS = 6,     // moert_weight_t[]
  MOERT_SECTION_KERNELS = 7,     // moert_kernel_t[]
  MOERT_SECTION_PROGRAM = 8,     // moert_step_program_t, then its words
  MOERT_SECTION_LAYERS = 9,      // moert_layer_t[]: the MoE layers
  MOERT_SECTION_EXPERTS = 10,    // moert_expert_range_t[]
  MOERT_SECTION_STATES = 11,     // moert_state_t[]: inputs and outputs that carry state from step to step
  MOERT_SECTION_CODE = 12,       // moert_code_t, then entries, then the image
  MOERT_SECTION_WEIGHT_DATA = 13,
  MOERT_SECTION_TOKENIZER = 14,  // moert_tokenizer_t, then optional bytes
  MOERT_SECTION_GPU_CODE = 15,   // moert_gpu_code_t, then entries, images, PTX and the images' bytes
  MOERT_SECTION_READS = 16,      // moert_task_reads_t[]: which bytes the tasks of kernels read
  MOERT_SECTION_SEAL = 17,       // moert_seal_t: who signed the file
};

typedef struct {
  uint32_t type;
  uint32_t reserved;             // 0
  uint64_t offset;
  uint64_t size;
  uint8_t hash[32];
} moert_section_t;               // 56 bytes

// An Ed25519 signature of header and section table as they lie in the file, with zeroes in place of `table_hash` in the
// header and of `hash` in the entry of the seal itself. The table has the hash of each other section, so everything in
// the file is covered; a reader refuses a file whose seal does not match.
typedef struct {
  uint8_t public_key[32];
  uint8_t signature[64];
} moert_seal_t;

typedef struct {
  uint32_t offset, size;
} moert_string_t;

// Keys in use: "compiler", "options", "source", "opsets".
typedef struct {
  moert_string_t key, value;
} moert_info_t;

// Element types; the values are those of onnx.TensorProto.DataType. Each element of 4 or 2 bits takes a byte: an integer
// as an i8 or u8 would hold it, a float in the low bits. Of a byte that comes in only the low bits count.
enum {
  MOERT_F32 = 1, MOERT_U8 = 2, MOERT_I8 = 3, MOERT_U16 = 4, MOERT_I16 = 5, MOERT_I32 = 6, MOERT_I64 = 7,
  MOERT_BOOL = 9, MOERT_F16 = 10, MOERT_F64 = 11, MOERT_U32 = 12, MOERT_U64 = 13, MOERT_BF16 = 16,
  MOERT_F8E4M3FN = 17, MOERT_F8E4M3FNUZ = 18, MOERT_F8E5M2 = 19, MOERT_F8E5M2FNUZ = 20, MOERT_U4 = 21, MOERT_I4 = 22,
  MOERT_F4E2M1FN = 23, MOERT_F8E8M0FNU = 24, MOERT_U2 = 25, MOERT_I2 = 26,
};

typedef struct {
  moert_string_t name;
  uint32_t element_type;
  uint32_t is_output;            // 0 or 1
  uint32_t first_dim, rank;      // into MOERT_SECTION_DIMS
} moert_tensor_t;

// How the bytes of a weight are laid out.
enum {
  MOERT_ENCODING_DENSE = 0,      // row-major
  MOERT_ENCODING_PANELS_16 = 1,  // logical [E, N, K]: stored [E, ceil(N/16), K, 16], missing columns 0
};

typedef struct {
  moert_string_t name;
  uint32_t element_type, encoding;
  uint32_t first_dim, rank;      // logical extents, all static
  uint64_t offset, size;         // in MOERT_SECTION_WEIGHT_DATA
} moert_weight_t;

typedef struct {
  moert_string_t name;
  uint32_t buffer_count, scalar_count;
} moert_kernel_t;

// What the tasks of a kernel read of one of its buffers: facts for traces, on which no run depends. Task t is block
// t % `blocks` of slot t / `blocks`. The slots are runs of rows: expert e has the rows between its offset and the next,
// ceil(rows / rows_per_slot) slots in ascending order, and `expert_bytes` of the buffer. Block b reads of these the
// bytes [first + b * block_bytes, first + (b + 1) * block_bytes) as far as they lie before `end`. A kernel may have
// several rows.
typedef struct {
  uint32_t kernel, buffer;
  uint32_t offsets;              // the buffer with the experts' offsets, int32_t[experts + 1]; else MOERT_NO_BUFFER,
                                 // and all slots are those of expert 0
  uint32_t experts, blocks, rows_per_slot;
  uint64_t expert_bytes, block_bytes;
  uint64_t first, end;
} moert_task_reads_t;

#define MOERT_NO_BUFFER 0xffffffffu

// A code variant. `entry_count` uint64_t image offsets follow, one per kernel, then at `image_offset` (a multiple of
// 4096, relative to the section) the image: mapped as one read-execute block at any page-aligned address; it has no
// relocations, imports, constructors, thread-locals or writable data.
typedef struct {
  moert_string_t variant;        // "x86-64-v3", "aarch64"
  uint32_t architecture;         // MOERT_ARCH_*
  uint32_t entry_count;
  uint64_t required_features;    // MOERT_FEATURE_* bits
  uint64_t image_offset, image_size;
} moert_code_t;

enum { MOERT_ARCH_X86_64 = 1, MOERT_ARCH_AARCH64 = 2 };
enum {
  MOERT_FEATURE_AVX2 = 1 << 0, MOERT_FEATURE_FMA = 1 << 1, MOERT_FEATURE_F16C = 1 << 2, MOERT_FEATURE_BMI2 = 1 << 3,
  MOERT_FEATURE_SSE4_2 = 1 << 4, MOERT_FEATURE_POPCNT = 1 << 5,
  MOERT_FEATURE_AVX512F = 1 << 8, MOERT_FEATURE_AVX512BW = 1 << 9, MOERT_FEATURE_AVX512DQ = 1 << 10,
  MOERT_FEATURE_AVX512VL = 1 << 11, MOERT_FEATURE_AVX512CD = 1 << 12,
};

// A GPU variant. `entry_count` moert_gpu_entry_t follow, one per kernel and in their order, then `image_count`
// moert_gpu_image_t, then, in any order, the bytes that offsets (relative to the section) refer to. The PTX text is
// what every GPU from `compute_capability` on can run; its last byte is zero and no other is.
typedef struct {
  moert_string_t variant;        // "sm_80"
  uint32_t compute_capability;   // 10 * major + minor
  uint32_t entry_count;
  uint32_t image_count, reserved;
  uint64_t ptx_offset, ptx_size;
} moert_gpu_code_t;

enum { MOERT_GPU_COOPERATIVE = 1 << 0 }; // needs all blocks of the launch resident together
enum { MOERT_MAX_GPU_THREADS = 1024 };

typedef struct {
  moert_string_t name;           // of the .entry in the PTX and the images
  uint32_t threads;              // of a block, 1 to MOERT_MAX_GPU_THREADS
  uint32_t shared_bytes;         // dynamic shared memory of a block
  uint32_t flags;                // MOERT_GPU_* bits
  uint32_t registers;            // of a thread, as the assembler reports; 0: not known
  uint32_t spill_bytes;          // of a thread; 0 also if not known
  uint32_t reserved;
} moert_gpu_entry_t;

// The variant assembled for one compute capability.
typedef struct {
  uint32_t compute_capability, reserved;
  uint64_t offset, size;
} moert_gpu_image_t;

// One expert's bytes in one weight of a layer.
typedef struct {
  uint32_t weight, expert;
  uint64_t offset, size;         // in MOERT_SECTION_WEIGHT_DATA
} moert_expert_range_t;

typedef struct {
  moert_string_t name;           // of the node or value it was recognised at
  moert_string_t form;           // "MoE", "QMoE", "gathered", ...
  moert_string_t router;         // in words: "softmax all, top 2, renormalised"
  uint32_t experts, selected;    // E, k
  uint32_t first_range, range_count;
} moert_layer_t;

// Output `output` of one step is input `input` of the next. Along `axis` it grows from nothing; or, with
// MOERT_STATE_REPLACED, each step replaces a tensor of the same extents, which is zero at first. A state in place grows,
// has no output step, and of its input the program reads the extents alone: it asks once for the buffer by
// MOERT_STEP_STATE, finds there what the state held, and writes behind it.
#define MOERT_STATE_REPLACED 0xffffffffu
typedef struct {
  uint32_t input, output;        // both count from 0 within inputs and outputs
  uint32_t axis, in_place;       // in_place is 0 or 1
} moert_state_t;

enum { MOERT_TOKENIZER_NONE = 0, MOERT_TOKENIZER_BYTE = 1 };
typedef struct {
  uint32_t kind;
  uint32_t has_bos;
  int64_t bos;                   // opens every text when has_bos
  uint32_t stop_count, reserved; // int64_t stop ids follow
} moert_tokenizer_t;

// ---------------------------------------------------------------------------------------------------------------------
// The step program: what the host does, as data. Registers hold 64-bit integers; slots hold buffers. Slots [0, inputs)
// are the caller's inputs and [inputs, inputs + weights) the weights, both read-only; the others start empty. A step
// that fills a slot first gives back what the slot owned. A step never fills a slot of an input or a weight. A program
// is a sequence of 32-bit words; each step starts with a word (word count << 8 | opcode), count including that word.
// The first step is at word 0, the last one is a RETURN or a JUMP. `r` is a register (0 at first), `s` a slot, `imm` an
// immediate, `str` an offset and a size word of a string.
typedef struct {
  uint32_t register_count, slot_count;
  uint32_t word_count, reserved;
} moert_step_program_t;

enum {
  MOERT_STEP_RETURN = 0,         //
  MOERT_STEP_CONST = 1,          // r, imm low, imm high
  MOERT_STEP_BINARY = 2,         // r, r lhs, r rhs, imm MOERT_BINARY_*
  MOERT_STEP_SELECT = 3,         // r, r condition, r if non-zero, r if zero
  MOERT_STEP_INPUT_DIM = 4,      // r, imm input, imm axis
  MOERT_STEP_ALLOC = 5,          // s, r bytes              memory of the session
  MOERT_STEP_OUTPUT = 6,         // s, imm output, r dims…  memory of output `output`, with its extents
  MOERT_STEP_FREE = 7,           // s                       gives the memory back and empties the slot
  MOERT_STEP_ALIAS = 8,          // s, s source, r byte offset    no ownership; source outlives it
  MOERT_STEP_MOVE = 9,           // s, s source             source becomes empty
  MOERT_STEP_LOAD = 10,          // r, s, r element index, imm element type (integers sign- or zero-extended)
  MOERT_STEP_STORE = 11,         // s, r element index, r value, imm element type
  MOERT_STEP_COPY = 12,          // s, r byte offset, s source, r byte offset, r bytes
  MOERT_STEP_DISPATCH = 13,      // kernel, r grid, r work, r scratch bytes, r blocks, r workspace bytes, str node,
                                 // imm buffers, imm scalars, s…, r…
  MOERT_STEP_JUMP = 14,          // imm word index of a step
  MOERT_STEP_JUMP_IF_ZERO = 15,  // r, imm word index of a step
  MOERT_STEP_CHECK = 16,         // r, str message          the run fails with the message if r is 0
  MOERT_STEP_ROUTING = 17,       // imm layer, s experts [T,k] i32, s gates [T,k] f32, r tokens    reported if asked for
  MOERT_STEP_STATE = 18,         // s, r capacity, imm state, r length    the buffer of a state in place: its input's
                                 // extents, but `capacity` >= length along the axis; `length` is the output's extent
};

// A dispatch is `grid` tasks on a CPU, where `scratch` is the memory of one thread, and one launch of `blocks` blocks on
// a GPU, where `workspace` is the memory of the launch. `blocks` and `workspace` are 0 in files without GPU code. `work`
// estimates scalar operations of the whole grid: small dispatches stay on the calling thread.

// Signed 64-bit with wrap-around. Division by zero fails the run. FLOORDIV and FLOORMOD round towards minus infinity.
enum {
  MOERT_BINARY_ADD = 0, MOERT_BINARY_SUB, MOERT_BINARY_MUL, MOERT_BINARY_DIV, MOERT_BINARY_REM, MOERT_BINARY_FLOORDIV,
  MOERT_BINARY_CEILDIV, MOERT_BINARY_FLOORMOD, MOERT_BINARY_MIN, MOERT_BINARY_MAX, MOERT_BINARY_AND, MOERT_BINARY_OR,
  MOERT_BINARY_XOR, MOERT_BINARY_EQ, MOERT_BINARY_NE, MOERT_BINARY_LT, MOERT_BINARY_LE, MOERT_BINARY_GT,
  MOERT_BINARY_GE, MOERT_BINARY_COUNT
};

#ifdef __cplusplus
}
#endif
#endif // MOERT_ARTIFACT_H
