//===- WeightSources.cpp - the values of weights with a source --------------===//

#include "WeightSources.h"

#include "FloatRows.h"

#include "mlir/IR/BuiltinAttributes.h"
#include "llvm/ADT/APFloat.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MathExtras.h"

#include <cstring>

using namespace mlir;
using namespace moec;
using namespace moec::moe;

using llvm::sys::fs::mapped_file_region;

//===----------------------------------------------------------------------===//
// Files
//===----------------------------------------------------------------------===//

FailureOr<WeightSources::MappedFile> WeightSources::mapFile(WeightOp weight, StringRef path) {
  if (auto known = files.find(path); known != files.end())
    return known->second;
  auto refuse = [&](std::error_code error) {
    return weight.emitOpError("cannot read '") << path << "': " << error.message();
  };
  auto handle = llvm::sys::fs::openNativeFileForRead(path);
  if (!handle)
    return refuse(llvm::errorToErrorCode(handle.takeError()));
  llvm::scope_exit close([&] { llvm::sys::fs::closeFile(*handle); });
  llvm::sys::fs::file_status status;
  if (std::error_code error = llvm::sys::fs::status(*handle, status))
    return refuse(error);

  MappedFile file{nullptr, status.getSize(), nullptr};
  if (file.size > 0) {
    std::error_code error;
    auto region = std::make_shared<mapped_file_region>(*handle, mapped_file_region::readonly, file.size, 0, error);
    if (error)
      return refuse(error);
    file.data = region->const_data();
    file.storage = std::move(region);
  }
  files.insert({path, file});
  return file;
}

FailureOr<WeightView> WeightSources::readFile(WeightOp weight, FileAttr file) {
  FailureOr<MappedFile> mapped = mapFile(weight, file.getPath());
  if (failed(mapped))
    return failure();
  if (file.getSize() > mapped->size || file.getOffset() > mapped->size - file.getSize())
    return weight.emitOpError("expected ") << file.getSize() << " bytes at offset " << file.getOffset() << " of '"
                                           << file.getPath() << "', which has " << mapped->size;
  return WeightView::dense(cast<RankedTensorType>(weight.getType()), mapped->data + file.getOffset(), mapped->storage);
}

//===----------------------------------------------------------------------===//
// Elements
//===----------------------------------------------------------------------===//

/// The bits of an element as the file holds them.
static uint64_t elementBits(Attribute element) {
  if (auto number = dyn_cast<FloatAttr>(element))
    return number.getValue().bitcastToAPInt().getZExtValue();
  return cast<IntegerAttr>(element).getValue().getZExtValue();
}

/// Writes element `index`; elements of less than a byte share one, the first in the lowest bits.
static void setElement(char *data, unsigned bits, int64_t index, uint64_t value) {
  if (bits == 1)
    bits = 8;
  if (bits >= 8) {
    std::memcpy(data + index * (bits / 8), &value, bits / 8);
    return;
  }
  int64_t perByte = 8 / bits;
  data[index / perByte] |= static_cast<char>(value << (index % perByte * bits));
}

WeightView moec::readElements(ElementsAttr elements) {
  auto type = cast<RankedTensorType>(elements.getShapedType());
  OwnedWeight weight(type);
  unsigned bits = type.getElementTypeBitWidth();
  auto dense = dyn_cast<DenseElementsAttr>(elements);
  if (dense && !dense.isSplat() && bits % 8 == 0) {
    std::memcpy(weight.data, dense.getRawData().data(), WeightView::byteCount(type));
    return weight.view;
  }
  std::memset(weight.data, 0, WeightView::byteCount(type));
  int64_t index = 0;
  for (Attribute element : elements.getValues<Attribute>())
    setElement(weight.data, bits, index++, elementBits(element));
  return weight.view;
}

//===----------------------------------------------------------------------===//
// Splat and random
//===----------------------------------------------------------------------===//

static FailureOr<WeightView> readSplat(WeightOp weight, SplatAttr splat) {
  auto type = cast<RankedTensorType>(weight.getType());
  unsigned bits = type.getElementTypeBitWidth();
  llvm::APFloat value = splat.getValue();
  bool exact = false;
  uint64_t element;
  if (auto floatType = dyn_cast<FloatType>(type.getElementType())) {
    value.convert(floatType.getFloatSemantics(), llvm::APFloat::rmNearestTiesToEven, &exact);
    element = value.bitcastToAPInt().getZExtValue();
  } else {
    llvm::APSInt integer(bits, type.getElementType().isUnsignedInteger() || bits == 1);
    if (value.convertToInteger(integer, llvm::APFloat::rmTowardZero, &exact) != llvm::APFloat::opOK)
      return weight.emitOpError("expected a splat that ") << type.getElementType() << " can hold, found "
                                                          << value.convertToDouble();
    element = integer.getZExtValue();
  }
  OwnedWeight result(type);
  std::memset(result.data, 0, WeightView::byteCount(type));
  for (int64_t i = 0; i < type.getNumElements(); ++i)
    setElement(result.data, bits, i, element);
  return result.view;
}

/// SplitMix64 as a function of the position, so that any part can be computed alone.
static float randomValue(uint64_t seed, int64_t index, double scale) {
  uint64_t z = seed + (static_cast<uint64_t>(index) + 1) * 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  z ^= z >> 31;
  double unit = static_cast<double>(z >> 11) * 0x1p-53;
  return static_cast<float>((2.0 * unit - 1.0) * scale);
}

static FailureOr<WeightView> readRandom(WeightOp weight, RandomAttr random) {
  auto type = cast<RankedTensorType>(weight.getType());
  auto floatType = dyn_cast<FloatType>(type.getElementType());
  if (!floatType || floatType.getWidth() % 8 != 0)
    return weight.emitOpError("expected a float element type for random values, found ") << type.getElementType();
  OwnedWeight result(type);
  int64_t size = floatType.getWidth() / 8;
  double scale = random.getScale().convertToDouble();
  auto f32 = Float32Type::get(weight.getContext());
  forRanges(type.getNumElements(), size, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) {
      float value = randomValue(random.getSeed(), i, scale);
      convertFloats(reinterpret_cast<const char *>(&value), f32, result.data + i * size, floatType, 1);
    }
  });
  return result.view;
}

FailureOr<WeightView> WeightSources::read(WeightOp weight) {
  Attribute source = *weight.getSource();
  if (auto file = dyn_cast<FileAttr>(source))
    return readFile(weight, file);
  if (auto splat = dyn_cast<SplatAttr>(source))
    return readSplat(weight, splat);
  if (auto random = dyn_cast<RandomAttr>(source))
    return readRandom(weight, random);
  return readElements(cast<ElementsAttr>(source));
}
