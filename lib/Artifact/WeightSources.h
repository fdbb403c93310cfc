//===- WeightSources.h - the values of weights with a source ----------------===//
#ifndef MOEC_LIB_ARTIFACT_WEIGHTSOURCES_H
#define MOEC_LIB_ARTIFACT_WEIGHTSOURCES_H

#include "WeightView.h"

#include "moec/Dialect/Moe/Moe.h"
#include "llvm/ADT/StringMap.h"

namespace moec {

/// The value of an elements attribute.
WeightView readElements(mlir::ElementsAttr elements);

/// Reads sources of weights; a file is mapped once.
class WeightSources {
public:
  llvm::FailureOr<WeightView> read(moe::WeightOp weight);

private:
  struct MappedFile {
    const char *data;
    uint64_t size;
    WeightView::Storage storage;
  };
  llvm::FailureOr<MappedFile> mapFile(moe::WeightOp weight, llvm::StringRef path);
  llvm::FailureOr<WeightView> readFile(moe::WeightOp weight, moe::FileAttr file);

  llvm::StringMap<MappedFile> files;
};

} // namespace moec

#endif // MOEC_LIB_ARTIFACT_WEIGHTSOURCES_H
