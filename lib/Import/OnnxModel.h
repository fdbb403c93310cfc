//===- OnnxModel.h - what the importer's steps hand to each other ---------------===//
#ifndef MOEC_LIB_IMPORT_ONNXMODEL_H
#define MOEC_LIB_IMPORT_ONNXMODEL_H

#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Location.h"
#include "onnx/onnx_pb.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/MemoryBuffer.h"
#include <memory>
#include <optional>
#include <string>

namespace moec::reader {

/// Bytes of a file, unless `path` is empty: then `bytes` holds them.
struct TensorSource {
  std::string path;
  uint64_t offset = 0;
  uint64_t size = 0;
  std::string bytes;
};

/// A constant tensor too large for the IR. To the ONNX library it is an input of the main graph.
struct LargeTensor {
  /// What the model calls it; the symbol's name.
  std::string name;
  int32_t elemType = 0;
  llvm::SmallVector<int64_t> dims;
  TensorSource source;
};

/// A model on its way through the importer.
struct OnnxModel {
  /// Memory of `proto`, which has millions of small parts: given back at once.
  google::protobuf::Arena arena;
  ::onnx::ModelProto &proto = *google::protobuf::Arena::CreateMessage<::onnx::ModelProto>(&arena);
  /// The mapped file; null for a textual model.
  std::unique_ptr<llvm::MemoryBuffer> file;
  /// Where the wire walker left out the bytes of tensors: offsets and sizes in `file`.
  llvm::SmallVector<std::pair<uint64_t, uint64_t>> leftOut;
  /// By the name of the graph input that stands for it.
  llvm::MapVector<std::string, LargeTensor, llvm::StringMap<unsigned>> largeTensors;
  /// What the file says about the results and, by name, about other values, before inference.
  google::protobuf::RepeatedPtrField<::onnx::ValueInfoProto> declaredOutputs;
  llvm::StringMap<::onnx::TypeProto> claims;
};

/// Reports errors of one model, located in its file.
class Reporter {
public:
  Reporter(mlir::MLIRContext &context, llvm::StringRef path) : context(context), path(path.str()) {}

  mlir::MLIRContext &getContext() const { return context; }
  llvm::StringRef getPath() const { return path; }
  mlir::Location getLoc() const;
  mlir::Location getLoc(const ::onnx::NodeProto &node) const;
  mlir::InFlightDiagnostic error() const { return mlir::emitError(getLoc()); }
  /// An error that begins with the node's name and operator.
  mlir::InFlightDiagnostic error(const ::onnx::NodeProto &node) const;
  /// What the ONNX library said, on one line.
  mlir::LogicalResult libraryError(llvm::StringRef what, llvm::StringRef message) const;

  /// Runs `call` into the ONNX library; an exception becomes an error that begins with `what`.
  template <typename Call> mlir::LogicalResult guard(llvm::StringRef what, Call &&call) const {
    try {
      call();
      return mlir::success();
    } catch (const std::exception &exception) {
      return libraryError(what, exception.what());
    }
  }

private:
  mlir::MLIRContext &context;
  std::string path;
};

/// "node 'name' (OpType)"; a node without a name is called by its first output.
std::string describe(const ::onnx::NodeProto &node);

/// Which operators `domain` means: "" is an alias of "ai.onnx".
inline llvm::StringRef getDomainName(llvm::StringRef domain) { return domain.empty() ? "ai.onnx" : domain; }
inline bool isDefaultDomain(llvm::StringRef domain) { return getDomainName(domain) == "ai.onnx"; }

} // namespace moec::reader

#endif // MOEC_LIB_IMPORT_ONNXMODEL_H
