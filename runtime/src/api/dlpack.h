// The structures of DLPack 1.x, as its specification lays them out in memory.
#pragma once
#include <cstdint>

extern "C" {

struct DLPackVersion {
  uint32_t major, minor;
};

struct DLDevice {
  int32_t device_type, device_id;
};

struct DLDataType {
  uint8_t code, bits;
  uint16_t lanes;
};

struct DLTensor {
  void *data;
  DLDevice device;
  int32_t ndim;
  DLDataType dtype;
  int64_t *shape;
  int64_t *strides; // in elements; null: dense row-major
  uint64_t byte_offset;
};

struct DLManagedTensorVersioned {
  DLPackVersion version;
  void *manager_ctx;
  void (*deleter)(DLManagedTensorVersioned *self);
  uint64_t flags;
  DLTensor dl_tensor;
};

} // extern "C"

namespace moert {

enum { dlpackMajor = 1, dlpackMinor = 1 };
enum { dlDeviceCpu = 1 };
enum { dlFlagReadOnly = 1, dlFlagCopied = 2 };
enum { dlCodeInt = 0, dlCodeUInt = 1, dlCodeFloat = 2, dlCodeBfloat = 4, dlCodeBool = 6 };
enum {
  dlCodeFloat8E4M3Fn = 10,
  dlCodeFloat8E4M3Fnuz = 11,
  dlCodeFloat8E5M2 = 12,
  dlCodeFloat8E5M2Fnuz = 13,
  dlCodeFloat8E8M0Fnu = 14
};

} // namespace moert
