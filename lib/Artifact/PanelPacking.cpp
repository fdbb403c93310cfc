//===- PanelPacking.cpp - panels of 16 columns ------------------------------===//

#include "PanelPacking.h"

#include <algorithm>
#include <cstring>

using namespace mlir;
using namespace moec;

PanelPacking::PanelPacking(WeightView w, std::optional<WeightView> linear)
    : w(std::move(w)), linear(std::move(linear)) {}

/// Writes [K][16] from 16 columns that are `columnStride` apart; columns from `columns` on are 0.
template <typename T>
static void packColumns(const char *source, int64_t columnStride, int64_t innerStride, int64_t columns, int64_t inner,
                        char *destination) {
  auto *from = reinterpret_cast<const T *>(source);
  auto *to = reinterpret_cast<T *>(destination);
  if (columns < 16)
    std::memset(destination, 0, inner * 16 * sizeof(T));
  // Blocks of 16 terms use a cache line of each column at once: columns often lie a power of two apart.
  for (int64_t k0 = 0; k0 < inner; k0 += 16) {
    int64_t kEnd = std::min(k0 + 16, inner);
    for (int64_t column = 0; column < columns; ++column)
      for (int64_t k = k0; k < kEnd; ++k)
        to[k * 16 + column] = from[column * columnStride + k * innerStride];
  }
}

void PanelPacking::packPanel(int64_t expert, int64_t panel, char *destination) const {
  const WeightView &view = linear && panel % 2 == 1 ? *linear : w;
  int64_t firstColumn = (linear ? panel / 2 : panel) * 16;
  int64_t columns = std::min<int64_t>(16, view.shape()[1] - firstColumn), inner = view.shape()[2];
  int64_t size = view.elementSize();
  const char *source = view.data + (expert * view.strides[0] + firstColumn * view.strides[1]) * size;
  switch (size) {
  case 1:
    return packColumns<uint8_t>(source, view.strides[1], view.strides[2], columns, inner, destination);
  case 2:
    return packColumns<uint16_t>(source, view.strides[1], view.strides[2], columns, inner, destination);
  case 4:
    return packColumns<uint32_t>(source, view.strides[1], view.strides[2], columns, inner, destination);
  default:
    return packColumns<uint64_t>(source, view.strides[1], view.strides[2], columns, inner, destination);
  }
}

void PanelPacking::pack(int64_t first, int64_t last, char *destination) const {
  forRanges((last - first) * panels(), panelBytes(), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      packPanel(first + i / panels(), i % panels(), destination + i * panelBytes());
  });
}
