//===- WeightView.cpp - strided views of the values of weight expressions ---===//

#include "WeightView.h"

#include "llvm/Support/MathExtras.h"
#include "llvm/Support/Parallel.h"

#include <algorithm>
#include <cstring>

using namespace mlir;
using namespace moec;

int64_t WeightView::elementSize(Type type) {
  unsigned bits = type.getIntOrFloatBitWidth();
  return bits == 1 ? 1 : bits % 8 == 0 ? bits / 8 : 0;
}

uint64_t WeightView::byteCount(RankedTensorType type) {
  uint64_t bits = type.getElementTypeBitWidth() == 1 ? 8 : type.getElementTypeBitWidth();
  return llvm::divideCeil(type.getNumElements() * bits, 8);
}

SmallVector<int64_t> WeightView::denseStrides(ArrayRef<int64_t> shape) {
  SmallVector<int64_t> strides(shape.size(), 1);
  for (size_t i = shape.size(); i-- > 1;)
    strides[i - 1] = strides[i] * shape[i];
  return strides;
}

WeightView WeightView::dense(RankedTensorType type, const char *data, Storage storage) {
  return {type, data, denseStrides(type.getShape()), std::move(storage)};
}

bool WeightView::isDense() const {
  int64_t expected = 1;
  for (size_t i = shape().size(); i-- > 0;) {
    if (shape()[i] != 1 && strides[i] != expected)
      return false;
    expected *= shape()[i];
  }
  return true;
}

OwnedWeight::OwnedWeight(RankedTensorType type) {
  auto bytes = std::shared_ptr<char[]>(new char[WeightView::byteCount(type)]);
  data = bytes.get();
  view = WeightView::dense(type, data, std::move(bytes));
}

void moec::forRanges(int64_t count, int64_t unitBytes, llvm::function_ref<void(int64_t, int64_t)> body) {
  constexpr int64_t bytesPerRange = 1 << 20;
  int64_t units = std::max<int64_t>(1, bytesPerRange / std::max<int64_t>(1, unitBytes));
  int64_t ranges = llvm::divideCeil(count, units);
  if (ranges <= 1)
    return body(0, count);
  llvm::parallelFor(0, ranges, [&](size_t range) {
    int64_t first = range * units;
    body(first, std::min(first + units, count));
  });
}

template <typename T>
static void copyRow(const char *source, int64_t sourceStride, char *destination, int64_t destinationStride,
                    int64_t count) {
  auto *from = reinterpret_cast<const T *>(source);
  auto *to = reinterpret_cast<T *>(destination);
  if (sourceStride == 1 && destinationStride == 1) {
    std::memcpy(to, from, count * sizeof(T));
    return;
  }
  for (int64_t i = 0; i < count; ++i)
    to[i * destinationStride] = from[i * sourceStride];
}

using RowCopy = void (*)(const char *, int64_t, char *, int64_t, int64_t);

static RowCopy rowCopyFor(int64_t elementSize) {
  switch (elementSize) {
  case 1:
    return copyRow<uint8_t>;
  case 2:
    return copyRow<uint16_t>;
  case 4:
    return copyRow<uint32_t>;
  default:
    return copyRow<uint64_t>;
  }
}

void moec::copyElements(const WeightView &view, char *destination, ArrayRef<int64_t> destinationStrides) {
  if (view.count() == 0)
    return;
  int64_t size = view.elementSize(), rank = view.shape().size();
  RowCopy copy = rowCopyFor(size);
  if (rank == 0)
    return copy(view.data, 1, destination, 1, 1);

  int64_t rowLength = view.shape().back();
  forRanges(view.count() / rowLength, rowLength * size, [&](int64_t first, int64_t last) {
    for (int64_t row = first; row < last; ++row) {
      int64_t from = 0, to = 0, rest = row;
      for (int64_t i = rank - 1; i-- > 0;) {
        from += rest % view.shape()[i] * view.strides[i];
        to += rest % view.shape()[i] * destinationStrides[i];
        rest /= view.shape()[i];
      }
      copy(view.data + from * size, view.strides[rank - 1], destination + to * size, destinationStrides[rank - 1],
           rowLength);
    }
  });
}

WeightView moec::makeDense(const WeightView &view) {
  if (view.isDense())
    return view;
  OwnedWeight copy(view.type);
  copyElements(view, copy.data, copy.view.strides);
  return copy.view;
}
