//===- Tables.h - the small sections of a .moe file -------------------------===//
#ifndef MOEC_LIB_ARTIFACT_TABLES_H
#define MOEC_LIB_ARTIFACT_TABLES_H

#include "mlir/IR/BuiltinTypes.h"
#include "moert/moert_artifact.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringMap.h"

namespace moec::artifact {

/// Strings, symbols and extents that the other sections refer to.
class Pools {
public:
  moert_string_t string(llvm::StringRef text);
  /// The index of a symbolic dimension; an empty name makes a new unnamed one.
  int64_t symbol(llvm::StringRef name);
  /// Appends extents and returns the index of the first.
  uint32_t dims(llvm::ArrayRef<int64_t> extents);

  llvm::ArrayRef<char> stringBytes() const { return strings; }
  llvm::ArrayRef<moert_string_t> symbols() const { return symbolNames; }
  llvm::ArrayRef<int64_t> dimValues() const { return extentPool; }

private:
  llvm::SmallVector<char> strings;
  llvm::StringMap<moert_string_t> knownStrings;
  llvm::SmallVector<moert_string_t> symbolNames;
  llvm::StringMap<int64_t> knownSymbols;
  llvm::SmallVector<int64_t> extentPool;
};

/// MOERT_F32 … for an element type; signless integers count as signed.
uint32_t elementType(mlir::Type type);

} // namespace moec::artifact

#endif // MOEC_LIB_ARTIFACT_TABLES_H
