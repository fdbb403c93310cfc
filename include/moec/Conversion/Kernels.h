//===- Kernels.h - how ops run as kernels -----------------------------------===//
//
// Registration of the external models of step::KernelOpInterface.
//
#ifndef MOEC_CONVERSION_KERNELS_H
#define MOEC_CONVERSION_KERNELS_H

namespace mlir {
class DialectRegistry;
}

namespace moec {

/// linalg ops on tensors. An init operand reaches `emitTasks` as null where its contents do not matter (a
/// `tensor.empty`), and as the scalar it is filled with where it is a `linalg.fill`.
void registerLinalgKernels(mlir::DialectRegistry &registry);

/// moe.route, moe.group, moe.grouped_matmul and moe.combine.
void registerMoeKernels(mlir::DialectRegistry &registry);

/// All ops of the nn dialect.
void registerNnKernels(mlir::DialectRegistry &registry);

/// tensor.extract_slice, tensor.insert_slice, tensor.concat and tensor.pad.
void registerTensorKernels(mlir::DialectRegistry &registry);

} // namespace moec

#endif // MOEC_CONVERSION_KERNELS_H
