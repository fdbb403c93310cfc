//===- RoutedLayout.h - which axis runs over tokens, slots, features --------===//
//
// Around a routed layer every tensor is indexed by token, slot (the place among the experts of a token) and feature, in
// shapes that differ from exporter to exporter: [T, K, F], [T*K, F], [T, K, 1, F], … A layout says for each axis which
// of these indices it runs over, in row-major order. Views only regroup indices, which is proven on symbolic extents;
// broadcasts pair axes, which must run over the same index.
//
//===----------------------------------------------------------------------===//
#ifndef MOEC_LIB_RAISE_ROUTEDLAYOUT_H
#define MOEC_LIB_RAISE_ROUTEDLAYOUT_H

#include "SymbolicShapes.h"

namespace moec::raise {

/// Token dimensions are numbered from 0; the others are these.
enum RowIndex : int { SlotIndex = 100, FeatureIndex, WeightRow, WeightColumn };

/// The indices an axis runs over; none where the extent is 1.
using AxisIndices = llvm::SmallVector<int, 2>;
using Layout = llvm::SmallVector<AxisIndices, 4>;

/// The tokens and slots of one routed layer.
class RowSpace {
public:
  /// `ids` holds the expert of each token and slot. Its last axis is the slot if it has rank 2 or more and a constant
  /// extent; otherwise each token has one slot.
  static std::optional<RowSpace> create(mlir::Value ids, const SymbolicShapes &shapes);
  /// Tokens without slots, in axes of their own.
  static RowSpace ofTokens(llvm::ArrayRef<Extent> tokens, int64_t slots = 1);

  int64_t slotCount() const { return slots; }
  llvm::ArrayRef<Extent> tokens() const { return tokenExtents; }
  /// [tokens…, slot], with each in an axis of its own.
  Layout idsLayout() const { return ids; }

  /// The layout of a tensor that holds a row of features per token, or a number per token and slot.
  std::optional<Layout> tokenLayout(llvm::ArrayRef<Extent> extents) const;
  std::optional<Layout> gateLayout(llvm::ArrayRef<Extent> extents) const;

  /// The layout of a view's result from that of its input; nullopt if the view does not keep the indices whole.
  std::optional<Layout> throughView(onnx::NodeOp view, const Layout &input, const SymbolicShapes &shapes) const;

private:
  struct Numbered {
    int index;
    Extent extent;
  };
  std::optional<Layout> group(llvm::ArrayRef<Numbered> order, llvm::ArrayRef<Extent> extents) const;
  std::optional<Layout> throughReshape(const Layout &input, llvm::ArrayRef<Extent> from,
                                       llvm::ArrayRef<Extent> to) const;
  std::optional<Layout> throughRepeat(const Layout &input, llvm::ArrayRef<Extent> from, llvm::ArrayRef<Extent> to,
                                      bool isTile) const;

  llvm::SmallVector<Extent> tokenExtents;
  int64_t slots = 1;
  Layout ids;
};

/// Whether a node only changes shape: Reshape, Squeeze, Unsqueeze, Flatten, Expand, Tile, Transpose, Identity, Cast
/// between floats or between i32 and i64.
bool isViewNode(onnx::NodeOp node);

/// The layout of an elementwise result; nullopt if an axis pairs different indices.
std::optional<Layout> broadcastLayouts(const Layout &a, const Layout &b);

/// The only axis that runs over `index` alone, if it runs over nothing else.
std::optional<unsigned> axisOf(const Layout &layout, int index);

} // namespace moec::raise

#endif // MOEC_LIB_RAISE_ROUTEDLAYOUT_H
