//===- TestValues.h - values of the tests of kernels -------------------------===//
//
// Random values, and buffers of floats in any of the storage types.
//
//===----------------------------------------------------------------------===//
#ifndef MOEC_UNITTESTS_CONVERSION_TESTVALUES_H
#define MOEC_UNITTESTS_CONVERSION_TESTVALUES_H

#include "KernelRunner.h"
#include "llvm/ADT/APFloat.h"
#include "gtest/gtest.h"

#include <cmath>
#include <random>

namespace moec::test {

/// A storage type of floats: its name in IR, and how far a result may be off because of its rounding.
struct FloatStorage {
  const char *name;
  const llvm::fltSemantics *semantics;
  float tolerance;
};
inline const FloatStorage f32Storage{"f32", &llvm::APFloat::IEEEsingle(), 2e-5f};
inline const FloatStorage f16Storage{"f16", &llvm::APFloat::IEEEhalf(), 1e-3f};
inline const FloatStorage bf16Storage{"bf16", &llvm::APFloat::BFloat(), 8e-3f};

/// Values of a tensor that are exact in `storage`, and that tensor.
struct Floats {
  const FloatStorage *storage;
  std::vector<int64_t> shape;
  std::vector<float> values;

  Floats(const FloatStorage &storage, std::vector<int64_t> shape, std::vector<float> exact)
      : storage(&storage), shape(std::move(shape)), values(std::move(exact)) {
    for (float &value : values)
      value = round(value);
  }

  static Floats random(std::mt19937 &engine, const FloatStorage &storage, std::vector<int64_t> shape,
                       float scale = 1.0f) {
    int64_t count = 1;
    for (int64_t extent : shape)
      count *= extent;
    std::normal_distribution<float> normal(0.0f, scale);
    std::vector<float> values(count);
    for (float &value : values)
      value = normal(engine);
    return Floats(storage, std::move(shape), std::move(values));
  }

  float round(float value) const { return decode(encode(value)); }

  Buffer buffer() const {
    if (isSingle())
      return Buffer::of(shape, values);
    std::vector<uint16_t> bits;
    for (float value : values)
      bits.push_back(static_cast<uint16_t>(encode(value)));
    return Buffer::of(shape, bits);
  }

  /// A buffer for a result in the same storage type.
  Buffer result(std::vector<int64_t> resultShape) const {
    if (isSingle())
      return Buffer::filled<float>(std::move(resultShape), 77.0f);
    return Buffer::filled<uint16_t>(std::move(resultShape), 0x1234);
  }

  std::vector<float> read(const Buffer &buffer) const {
    if (isSingle())
      return buffer.as<float>();
    std::vector<float> decoded;
    for (uint16_t bits : buffer.as<uint16_t>())
      decoded.push_back(decode(bits));
    return decoded;
  }

  void expectNear(const Buffer &buffer, const std::vector<double> &expected) const {
    std::vector<float> actual = read(buffer);
    ASSERT_EQ(actual.size(), expected.size());
    for (size_t i = 0; i < actual.size(); ++i) {
      if (std::isnan(expected[i])) {
        ASSERT_TRUE(std::isnan(actual[i])) << "at " << i << ", found " << actual[i];
        continue;
      }
      ASSERT_NEAR(actual[i], expected[i], storage->tolerance * std::max(1.0, std::fabs(expected[i]))) << "at " << i;
    }
  }

private:
  bool isSingle() const { return storage->semantics == &llvm::APFloat::IEEEsingle(); }
  uint64_t encode(float value) const {
    llvm::APFloat number(value);
    bool lossy;
    number.convert(*storage->semantics, llvm::APFloat::rmNearestTiesToEven, &lossy);
    return number.bitcastToAPInt().getZExtValue();
  }
  float decode(uint64_t bits) const {
    unsigned width = llvm::APFloat::getSizeInBits(*storage->semantics);
    llvm::APFloat number(*storage->semantics, llvm::APInt(width, bits));
    bool lossy;
    number.convert(llvm::APFloat::IEEEsingle(), llvm::APFloat::rmNearestTiesToEven, &lossy);
    return number.convertToFloat();
  }
};

} // namespace moec::test

#endif // MOEC_UNITTESTS_CONVERSION_TESTVALUES_H
