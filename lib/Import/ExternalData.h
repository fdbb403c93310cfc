//===- ExternalData.h - where a tensor's external data lies ---------------------===//
#ifndef MOEC_LIB_IMPORT_EXTERNALDATA_H
#define MOEC_LIB_IMPORT_EXTERNALDATA_H

#include "OnnxModel.h"

namespace moec::reader {

/// Resolves `external_data` of tensors. The entries come from an untrusted file: nothing outside the model's folder is
/// reached, and a range is inside its file and as long as the tensor.
class ExternalData {
public:
  explicit ExternalData(const Reporter &reporter);

  /// The range that holds `tensor`, whose size is known.
  mlir::FailureOr<TensorSource> resolve(const ::onnx::TensorProto &tensor);

  /// The bytes of a range; for small tensors.
  mlir::FailureOr<std::string> read(const TensorSource &source);

private:
  struct File {
    std::string path;
    uint64_t size = 0;
  };
  mlir::FailureOr<File> open(const std::string &tensorName, llvm::StringRef location);

  const Reporter &reporter;
  std::string folder;
  /// Files already checked, by location.
  llvm::StringMap<File> files;
};

} // namespace moec::reader

#endif // MOEC_LIB_IMPORT_EXTERNALDATA_H
