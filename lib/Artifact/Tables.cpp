//===- Tables.cpp - the small sections of a .moe file -----------------------===//

#include "Tables.h"
#include "llvm/Support/ErrorHandling.h"

using namespace mlir;
using namespace moec::artifact;

moert_string_t Pools::string(StringRef text) {
  auto [known, isNew] = knownStrings.try_emplace(text);
  if (isNew) {
    known->second = {static_cast<uint32_t>(strings.size()), static_cast<uint32_t>(text.size())};
    strings.append(text.begin(), text.end());
  }
  return known->second;
}

int64_t Pools::symbol(StringRef name) {
  if (name.empty()) {
    symbolNames.push_back(string("?" + std::to_string(symbolNames.size())));
    return symbolNames.size() - 1;
  }
  auto [known, isNew] = knownSymbols.try_emplace(name, symbolNames.size());
  if (isNew)
    symbolNames.push_back(string(name));
  return known->second;
}

uint32_t Pools::dims(ArrayRef<int64_t> extents) {
  uint32_t first = extentPool.size();
  llvm::append_range(extentPool, extents);
  return first;
}

uint32_t moec::artifact::elementType(Type type) {
  if (type.isF32())
    return MOERT_F32;
  if (type.isF16())
    return MOERT_F16;
  if (type.isBF16())
    return MOERT_BF16;
  if (type.isF64())
    return MOERT_F64;
  bool isUnsigned = type.isUnsignedInteger();
  switch (type.getIntOrFloatBitWidth()) {
  case 1:
    return MOERT_BOOL;
  case 8:
    return isUnsigned ? MOERT_U8 : MOERT_I8;
  case 16:
    return isUnsigned ? MOERT_U16 : MOERT_I16;
  case 32:
    return isUnsigned ? MOERT_U32 : MOERT_I32;
  case 64:
    return isUnsigned ? MOERT_U64 : MOERT_I64;
  }
  llvm_unreachable("element types are checked on import");
}
