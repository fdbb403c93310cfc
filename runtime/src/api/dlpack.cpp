// Exchange of tensors by DLPack.
#include "api/dlpack.h"

#include "api/boundary.h"
#include "element_type.h"

#include <vector>

using namespace moert;

struct TypePair {
  uint32_t elementType;
  uint8_t code, bits;
};

static constexpr TypePair typePairs[] = {
    {MOERT_F32, dlCodeFloat, 32},
    {MOERT_F64, dlCodeFloat, 64},
    {MOERT_F16, dlCodeFloat, 16},
    {MOERT_BF16, dlCodeBfloat, 16},
    {MOERT_I8, dlCodeInt, 8},
    {MOERT_I16, dlCodeInt, 16},
    {MOERT_I32, dlCodeInt, 32},
    {MOERT_I64, dlCodeInt, 64},
    {MOERT_U8, dlCodeUInt, 8},
    {MOERT_U16, dlCodeUInt, 16},
    {MOERT_U32, dlCodeUInt, 32},
    {MOERT_U64, dlCodeUInt, 64},
    {MOERT_BOOL, dlCodeBool, 8},
    {MOERT_F8E4M3FN, dlCodeFloat8E4M3Fn, 8},
    {MOERT_F8E4M3FNUZ, dlCodeFloat8E4M3Fnuz, 8},
    {MOERT_F8E5M2, dlCodeFloat8E5M2, 8},
    {MOERT_F8E5M2FNUZ, dlCodeFloat8E5M2Fnuz, 8},
    {MOERT_F8E8M0FNU, dlCodeFloat8E8M0Fnu, 8},
};

static Status readType(const DLDataType &type, uint32_t &elementType) {
  for (const TypePair &pair : typePairs)
    if (type.code == pair.code && type.bits == pair.bits && type.lanes == 1) {
      elementType = pair.elementType;
      return Status::success();
    }
  return failure(MOERT_UNSUPPORTED, "DLPack tensor: element type of code ", uint32_t(type.code), ", ",
                 uint32_t(type.bits), " bits and ", type.lanes, " lanes");
}

static bool isDense(const DLTensor &tensor) {
  if (!tensor.strides)
    return true;
  int64_t expected = 1;
  for (int32_t i = tensor.ndim; i-- > 0;) {
    if (tensor.shape[i] == 0)
      return true;
    if (tensor.shape[i] != 1 && tensor.strides[i] != expected)
      return false;
    expected *= tensor.shape[i];
  }
  return true;
}

static Status viewTensor(const DLManagedTensorVersioned &managed, bool forOutput, moert_tensor_view_t &view) {
  const DLTensor &tensor = managed.dl_tensor;
  if (managed.version.major != dlpackMajor)
    return failure(MOERT_UNSUPPORTED, "DLPack tensor: version ", managed.version.major, ", expected ",
                   uint32_t(dlpackMajor));
  if (tensor.device.device_type != dlDeviceCpu)
    return failure(MOERT_UNSUPPORTED, "DLPack tensor: device type ", tensor.device.device_type, ", expected ",
                   int(dlDeviceCpu), " for the CPU");
  if (forOutput && (managed.flags & dlFlagReadOnly))
    return failure(MOERT_INVALID_ARGUMENT, "DLPack tensor: read-only, but wanted for an output");
  if (tensor.ndim < 0 || tensor.ndim > MOERT_MAX_RANK || (tensor.ndim > 0 && !tensor.shape))
    return failure(MOERT_INVALID_ARGUMENT, "DLPack tensor: rank ", tensor.ndim);
  moert_tensor_view_t result = {};
  MOERT_TRY(readType(tensor.dtype, result.element_type));
  result.rank = static_cast<uint32_t>(tensor.ndim);
  result.dims = tensor.shape;
  if (!denseBytes(tensor.shape, result.rank, elementSize(result.element_type), result.byte_size))
    return failure(MOERT_INVALID_ARGUMENT, "DLPack tensor: extents ", formatExtents(tensor.shape, result.rank));
  if (!isDense(tensor))
    return failure(MOERT_UNSUPPORTED, "DLPack tensor: its elements are not dense in row-major order");
  result.data = tensor.data ? static_cast<std::byte *>(tensor.data) + tensor.byte_offset : nullptr;
  view = result;
  return Status::success();
}

moert_status_t moert_view_from_dlpack(const struct DLManagedTensorVersioned *tensor, int for_output,
                                      moert_tensor_view_t *out_view) {
  return guarded([&]() -> Status {
    MOERT_TRY(requireArgument(tensor, "tensor"));
    MOERT_TRY(requireArgument(out_view, "out_view"));
    return viewTensor(*tensor, for_output != 0, *out_view);
  });
}

namespace {

struct CopiedTensor : DLManagedTensorVersioned {
  std::vector<int64_t> shape;
  AlignedBytes elements;
};

} // namespace

static Status copyView(const moert_tensor_view_t &view, DLManagedTensorVersioned **result) {
  const TypePair *type = nullptr;
  for (const TypePair &pair : typePairs)
    if (pair.elementType == view.element_type)
      type = &pair;
  uint64_t bytes = 0;
  if (!type || view.rank > MOERT_MAX_RANK || (view.rank && !view.dims) ||
      !denseBytes(view.dims, view.rank, elementSize(view.element_type), bytes) || bytes != view.byte_size ||
      (bytes && !view.data))
    return failure(MOERT_INVALID_ARGUMENT, "the view's type, extents and bytes do not fit together");
  auto copy = std::make_unique<CopiedTensor>();
  copy->shape.assign(view.dims, view.dims + view.rank);
  copy->elements = allocateAligned(bytes ? bytes : 1);
  if (!copy->elements)
    return failure(MOERT_OUT_OF_MEMORY, "cannot allocate ", bytes, " bytes for a tensor");
  if (bytes)
    std::memcpy(copy->elements.get(), view.data, bytes);
  copy->version = {dlpackMajor, dlpackMinor};
  copy->manager_ctx = nullptr;
  copy->deleter = [](DLManagedTensorVersioned *self) { delete static_cast<CopiedTensor *>(self); };
  copy->flags = dlFlagCopied;
  copy->dl_tensor = {copy->elements.get(),
                     {dlDeviceCpu, 0},
                     static_cast<int32_t>(view.rank),
                     {type->code, type->bits, 1},
                     copy->shape.data(),
                     nullptr,
                     0};
  *result = copy.release();
  return Status::success();
}

moert_status_t moert_view_to_dlpack(const moert_tensor_view_t *view, struct DLManagedTensorVersioned **out_tensor) {
  return guarded([&]() -> Status {
    MOERT_TRY(requireArgument(view, "view"));
    MOERT_TRY(requireArgument(out_tensor, "out_tensor"));
    return copyView(*view, out_tensor);
  });
}
