// Tensors seen along one axis: `outer` rows of positions, each position `inner` bytes.
#pragma once
#include "devices/device.h"

#include <span>

namespace moert {

struct AxisLayout {
  uint64_t outer = 1, inner = 1;

  // The extent of the axis itself does not matter.
  static AxisLayout of(std::span<const int64_t> dims, uint32_t axis, uint64_t elementBytes) {
    AxisLayout layout{1, elementBytes};
    for (uint32_t i = 0; i < dims.size(); ++i)
      if (i != axis)
        (i < axis ? layout.outer : layout.inner) *= static_cast<uint64_t>(dims[i]);
    return layout;
  }

  uint64_t bytes(int64_t extent) const { return outer * static_cast<uint64_t>(extent) * inner; }
};

// Copies the first `positions` of every row between buffers whose rows have room for different numbers of them. Source
// and target may be the same buffer if the target's rows are not longer.
inline Status copyPositions(Device &device, CopyKind kind, const AxisLayout &layout, const std::byte *source,
                            int64_t sourceExtent, std::byte *target, int64_t targetExtent, int64_t positions) {
  return device.copy(kind, target, source,
                     {layout.outer, static_cast<uint64_t>(positions) * layout.inner,
                      static_cast<uint64_t>(targetExtent) * layout.inner,
                      static_cast<uint64_t>(sourceExtent) * layout.inner});
}

} // namespace moert
