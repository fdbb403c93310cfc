//===- StepDialect.td --------------------------------------------*- tablegen -*-===//
#ifndef MOEC_DIALECT_STEP_DIALECT
#define MOEC_DIALECT_STEP_DIALECT

include "mlir/IR/OpBase.td"
include "mlir/IR/AttrTypeBase.td"

def Step_Dialect : Dialect {
  let name = "step";
  let cppNamespace = "::moec::step";
  let useDefaultTypePrinterParser = 1;
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::tensor::TensorDialect"];
  let summary = "kernels, their dispatch, and the step program";
  let description = [{
    Two levels. On tensors: `step.kernel` symbols and the `step.dispatch` ops of the host function that call them. On
    slots: a `step.program`, the form that is written to the file word by word (moert_artifact.h): slots hold buffers,
    i64 values are registers, and nothing is implicit.
  }];
}

class Step_Type<string name, string typeMnemonic> : TypeDef<Step_Dialect, name> {
  let mnemonic = typeMnemonic;
}

def Step_SlotType : Step_Type<"Slot", "slot"> {
  let summary = "a slot of the step program: holds one buffer";
}

class Step_Op<string mnemonic, list<Trait> traits = []> : Op<Step_Dialect, mnemonic, traits>;

#endif
