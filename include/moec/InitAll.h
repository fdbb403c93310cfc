//===- InitAll.h - all dialects and passes ----------------------------------===//
#ifndef MOEC_INITALL_H
#define MOEC_INITALL_H

namespace mlir {
class DialectRegistry;
} // namespace mlir

namespace moec {

/// Adds the dialects of the project, the upstream dialects it uses, and the external models of their interfaces.
void registerAllDialects(mlir::DialectRegistry &registry);

/// Registers the passes of the project, and the upstream passes that are useful beside them, by their names.
void registerAllPasses();

} // namespace moec

#endif // MOEC_INITALL_H
