//===- TensorData.h - element types, sizes and values of TensorProto ------------===//
#ifndef MOEC_LIB_IMPORT_TENSORDATA_H
#define MOEC_LIB_IMPORT_TENSORDATA_H

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "onnx/onnx_pb.h"
#include <optional>
#include <string>

namespace moec::reader {

/// The MLIR type of a TensorProto.DataType, or null for strings, complex numbers and unknown values.
mlir::Type getElementType(mlir::MLIRContext &context, int32_t dataType);

/// "FLOAT" and so on; the number of a type that this ONNX does not know.
std::string getDataTypeName(int32_t dataType);

/// Number of elements; nullopt if a dimension is negative or the product leaves 63 bits.
std::optional<uint64_t> getElementCount(llvm::ArrayRef<int64_t> dims);

/// Bytes of a stored tensor, 4- and 2-bit elements packed; nullopt if the type has no fixed size or the count is none.
std::optional<uint64_t> getByteSize(int32_t dataType, llvm::ArrayRef<int64_t> dims);

bool isIntegerType(int32_t dataType);

inline llvm::ArrayRef<int64_t> getDims(const ::onnx::TensorProto &tensor) {
  return {tensor.dims().data(), static_cast<size_t>(tensor.dims_size())};
}

/// The values as `raw_data` holds them: little endian, 4- and 2-bit elements packed lowest bits first. As many as there
/// are, whatever the shape says.
std::string getRawBytes(const ::onnx::TensorProto &tensor);

/// Elements from bytes as `getRawBytes` gives them. `bytes` has the size that `getByteSize` says.
mlir::DenseElementsAttr getElements(mlir::RankedTensorType type, llvm::StringRef bytes);

} // namespace moec::reader

#endif // MOEC_LIB_IMPORT_TENSORDATA_H
