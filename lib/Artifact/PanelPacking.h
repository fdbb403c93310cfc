//===- PanelPacking.h - panels of 16 columns --------------------------------===//
#ifndef MOEC_LIB_ARTIFACT_PANELPACKING_H
#define MOEC_LIB_ARTIFACT_PANELPACKING_H

#include "WeightView.h"

#include <optional>

namespace moec {

/// What moe.pack_panels computes, expert by expert.
class PanelPacking {
public:
  /// `w` and `linear` are [E, N, K] views of elements of whole bytes.
  PanelPacking(WeightView w, std::optional<WeightView> linear);

  int64_t experts() const { return w.shape()[0]; }
  int64_t expertBytes() const { return panels() * panelBytes(); }
  /// Packs the experts [first, last) one behind the other, in parallel.
  void pack(int64_t first, int64_t last, char *destination) const;

private:
  int64_t panels() const { return (w.shape()[1] + 15) / 16 * (linear ? 2 : 1); }
  int64_t panelBytes() const { return w.shape()[2] * 16 * w.elementSize(); }
  void packPanel(int64_t expert, int64_t panel, char *destination) const;

  WeightView w;
  std::optional<WeightView> linear;
};

} // namespace moec

#endif // MOEC_LIB_ARTIFACT_PANELPACKING_H
