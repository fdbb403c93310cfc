//===- WeightDequantization.cpp - (q - zero point) * scale ------------------===//

#include "WeightDequantization.h"

#include "FloatRows.h"

#include <vector>

using namespace mlir;
using namespace moec;

/// Value `index` of a row of values of `bits` bits, lowest bits first.
static unsigned unpack(const char *row, int64_t bits, int64_t index) {
  int64_t position = index * bits;
  auto byte = static_cast<unsigned char>(row[position / 8]);
  return byte >> (position % 8) & ((1u << bits) - 1);
}

WeightView moec::dequantize(const QuantizedWeight &weight, RankedTensorType type) {
  OwnedWeight result(type);
  int64_t inner = type.getShape().back(), bits = weight.bits;
  int64_t rows = inner == 0 ? 0 : type.getNumElements() / inner;
  bool perRow = weight.block == 0;
  int64_t block = perRow ? std::max<int64_t>(inner, 1) : weight.block;
  int64_t blocks = (inner + block - 1) / block;
  // Zero points are packed along the last axis of the scales: over the rows where there is one scale per row.
  int64_t zeroPointRow = perRow ? type.getShape().drop_back().back() : blocks;
  int64_t zeroPointBytes = (zeroPointRow * bits + 7) / 8, zeroPointBits = bits, valueBits = bits;
  if (weight.zeroPoints && weight.zeroPoints->shape().back() > zeroPointBytes) {
    zeroPointBytes = zeroPointRow;
    zeroPointBits = 8;
  }
  if (weight.values.shape().back() == inner)
    valueBits = 8;
  auto zeroPointOf = [&](int64_t row, int64_t b) -> float {
    if (!weight.zeroPoints)
      return float(1 << (bits - 1));
    int64_t scale = perRow ? row : row * blocks + b;
    const char *packed = weight.zeroPoints->data + scale / zeroPointRow * zeroPointBytes;
    return float(unpack(packed, zeroPointBits, scale % zeroPointRow));
  };

  auto f32 = Float32Type::get(type.getContext());
  auto scaleType = cast<FloatType>(weight.scales.type.getElementType());
  int64_t scaleSize = weight.scales.elementSize(), size = result.view.elementSize();
  forRanges(rows, inner * (size + 1), [&](int64_t first, int64_t last) {
    std::vector<float> values(inner), scales(blocks);
    for (int64_t row = first; row < last; ++row) {
      convertFloats(weight.scales.data + row * blocks * scaleSize, scaleType, reinterpret_cast<char *>(scales.data()),
                    f32, blocks);
      const char *packed = weight.values.data + row * inner * valueBits / 8;
      for (int64_t b = 0; b < blocks; ++b) {
        float zeroPoint = zeroPointOf(row, b);
        for (int64_t k = b * block; k < std::min((b + 1) * block, inner); ++k)
          values[k] = (float(unpack(packed, valueBits, k)) - zeroPoint) * scales[b];
      }
      convertFloats(reinterpret_cast<const char *>(values.data()), f32, result.data + row * inner * size,
                    cast<FloatType>(type.getElementType()), inner);
    }
  });
  return result.view;
}

WeightView moec::unpackValues(const WeightView &packed, int64_t bits, bool isSigned, RankedTensorType type) {
  OwnedWeight result(type);
  int64_t perByte = 8 / bits, sign = isSigned ? 1 << (bits - 1) : 0;
  forRanges(packed.count(), 1 + perByte, [&](int64_t first, int64_t last) {
    for (int64_t i = first * perByte; i < last * perByte; ++i)
      result.data[i] = static_cast<char>((unpack(packed.data, bits, i) ^ sign) - sign);
  });
  return result.view;
}

WeightView moec::offsetValues(const WeightView &values, int64_t bits) {
  OwnedWeight result(values.type);
  int64_t sign = 1 << (bits - 1), mask = 2 * sign - 1;
  forRanges(values.count(), 2, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i)
      result.data[i] = static_cast<char>((values.data[i] + sign) & mask);
  });
  return result.view;
}

WeightView moec::packWords(const WeightView &values, int64_t bits, RankedTensorType type) {
  OwnedWeight result(type);
  int64_t perWord = 32 / bits, inner = values.shape().back(), words = type.getShape().back();
  int64_t rows = words == 0 ? 0 : type.getNumElements() / words;
  auto *target = reinterpret_cast<uint32_t *>(result.data);
  forRanges(rows, inner + 4 * words, [&](int64_t first, int64_t last) {
    for (int64_t row = first; row < last; ++row)
      for (int64_t word = 0; word < words; ++word) {
        uint32_t bitsOfWord = 0;
        for (int64_t i = 0; i < std::min(perWord, inner - word * perWord); ++i) {
          auto value = static_cast<unsigned char>(values.data[row * inner + word * perWord + i]);
          bitsOfWord |= uint32_t(value) << (bits * (i / 2) + 16 * (i % 2));
        }
        target[row * words + word] = bitsOfWord;
      }
  });
  return result.view;
}
