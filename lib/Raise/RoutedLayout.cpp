//===- RoutedLayout.cpp - which axis runs over tokens, slots, features ------===//

#include "RoutedLayout.h"
#include "GraphPatterns.h"

using namespace mlir;
using namespace moec;
using namespace moec::raise;

std::optional<RowSpace> RowSpace::create(Value ids, const SymbolicShapes &shapes) {
  std::optional<ArrayRef<Extent>> extents = shapes.extents(ids);
  if (!extents || extents->empty())
    return std::nullopt;
  RowSpace space;
  space.tokenExtents.assign(extents->begin(), extents->end());
  std::optional<int64_t> slots = extents->size() > 1 ? extents->back().constant() : std::nullopt;
  if (slots && *slots < 1)
    return std::nullopt;
  if (slots) {
    space.slots = *slots;
    space.tokenExtents.pop_back();
  }
  space.ids = *space.gateLayout(*extents);
  return space;
}

RowSpace RowSpace::ofTokens(ArrayRef<Extent> tokens, int64_t slots) {
  RowSpace space;
  space.tokenExtents.assign(tokens.begin(), tokens.end());
  space.slots = slots;
  Extents extents(tokens);
  extents.push_back(Extent(slots));
  space.ids = *space.gateLayout(slots == 1 ? tokens : ArrayRef<Extent>(extents));
  return space;
}

/// Gives each axis the next indices whose extents multiply to its own; all indices must be used up.
std::optional<Layout> RowSpace::group(ArrayRef<Numbered> order, ArrayRef<Extent> extents) const {
  Layout layout;
  auto skipUnits = [&] {
    while (!order.empty() && order.front().extent.isOne())
      order = order.drop_front();
  };
  for (const Extent &extent : extents) {
    layout.emplace_back();
    Extent covered;
    while (covered != extent) {
      skipUnits();
      if (order.empty())
        return std::nullopt;
      covered = covered * order.front().extent;
      layout.back().push_back(order.front().index);
      order = order.drop_front();
    }
  }
  skipUnits();
  return order.empty() ? std::optional(layout) : std::nullopt;
}

std::optional<Layout> RowSpace::tokenLayout(ArrayRef<Extent> extents) const {
  if (extents.empty())
    return std::nullopt;
  SmallVector<Numbered> order;
  for (auto [index, extent] : llvm::enumerate(tokenExtents))
    order.push_back({static_cast<int>(index), extent});
  order.push_back({FeatureIndex, extents.back()});
  return group(order, extents);
}

std::optional<Layout> RowSpace::gateLayout(ArrayRef<Extent> extents) const {
  SmallVector<Numbered> order;
  for (auto [index, extent] : llvm::enumerate(tokenExtents))
    order.push_back({static_cast<int>(index), extent});
  order.push_back({SlotIndex, Extent(slots)});
  return group(order, extents);
}

std::optional<Layout> RowSpace::throughReshape(const Layout &input, ArrayRef<Extent> from, ArrayRef<Extent> to) const {
  SmallVector<Numbered> order;
  for (auto [axis, extent] : llvm::zip_equal(input, from)) {
    std::optional<Extent> rest = extent;
    for (int index : axis) {
      if (index >= FeatureIndex)
        continue;
      rest = rest->dividedBy(index == SlotIndex ? Extent(slots) : tokenExtents[index]);
      if (!rest)
        return std::nullopt;
    }
    // What is left of the axis is the extent of its feature, of which a layout has one.
    for (int index : axis)
      order.push_back({index, index >= FeatureIndex ? *rest
                              : index == SlotIndex  ? Extent(slots)
                                                    : tokenExtents[index]});
  }
  return group(order, to);
}

/// Expand and Tile of an axis of extent 1 by the number of slots, and Tile of a whole axis as many times.
std::optional<Layout> RowSpace::throughRepeat(const Layout &input, ArrayRef<Extent> from, ArrayRef<Extent> to,
                                              bool isTile) const {
  Layout layout = input;
  SmallVector<Extent> extents(from);
  while (layout.size() < to.size()) {
    layout.insert(layout.begin(), AxisIndices());
    extents.insert(extents.begin(), Extent(1));
  }
  bool hasSlot = llvm::any_of(layout, [](const AxisIndices &axis) { return llvm::is_contained(axis, SlotIndex); });
  for (auto [axis, before, after] : llvm::zip_equal(layout, extents, to)) {
    if (before == after)
      continue;
    if ((!before.isOne() && !isTile) || after != before * Extent(slots) || hasSlot)
      return std::nullopt;
    axis.insert(axis.begin(), SlotIndex);
    hasSlot = true;
  }
  return layout;
}

std::optional<Layout> RowSpace::throughView(onnx::NodeOp view, const Layout &input,
                                            const SymbolicShapes &shapes) const {
  std::optional<ArrayRef<Extent>> from = shapes.extents(view.getInputs()[0]), to = shapes.extents(view.getResult(0));
  if (!from || !to || from->size() != input.size())
    return std::nullopt;
  if (view.is("Identity") || view.is("Cast"))
    return input;
  if (view.is("Expand") || view.is("Tile"))
    return throughRepeat(input, *from, *to, view.is("Tile"));
  if (!view.is("Transpose"))
    return throughReshape(input, *from, *to);
  SmallVector<int64_t> reversed(llvm::reverse(llvm::seq<int64_t>(input.size())));
  Layout layout;
  for (int64_t axis : view.getInts("perm").value_or(reversed))
    layout.push_back(input[axis]);
  return layout;
}

bool raise::isViewNode(onnx::NodeOp node) {
  if (!node.getDomain().empty() || node.getInputs().empty() || node.getNumResults() != 1)
    return false;
  StringRef op = node.getOpType();
  if (op == "Cast") {
    Type from = getElementTypeOrSelf(node.getInputs()[0].getType()),
         to = getElementTypeOrSelf(node.getResult(0).getType());
    auto isIndex = [](Type type) { return type.isInteger(32) || type.isInteger(64); };
    return (isa<FloatType>(from) && isa<FloatType>(to)) || (isIndex(from) && isIndex(to));
  }
  return op == "Reshape" || op == "Squeeze" || op == "Unsqueeze" || op == "Flatten" || op == "Expand" || op == "Tile" ||
         op == "Transpose" || op == "Identity";
}

std::optional<Layout> raise::broadcastLayouts(const Layout &a, const Layout &b) {
  Layout result = a.size() >= b.size() ? a : b;
  const Layout &shorter = a.size() >= b.size() ? b : a;
  for (auto [mine, theirs] : llvm::zip(llvm::reverse(result), llvm::reverse(shorter))) {
    if (mine == theirs || theirs.empty())
      continue;
    if (!mine.empty())
      return std::nullopt;
    mine = theirs;
  }
  return result;
}

std::optional<unsigned> raise::axisOf(const Layout &layout, int index) {
  for (auto [place, axis] : llvm::enumerate(layout))
    if (axis.size() == 1 && axis.front() == index)
      return place;
  return std::nullopt;
}
