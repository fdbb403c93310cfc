// RUN: moe-opt %s --moe-form-step-program --split-input-file --verify-diagnostics

func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @+1 {{is not possible on the host side of a step program}}
  %y = nn.softmax %x : tensor<4xf32>
  return %y : tensor<4xf32>
}

// -----

func.func @main(%x: tensor<4xf32>, %axis: tensor<index>) -> tensor<index> {
  %i = tensor.extract %axis[] : tensor<index>
  // expected-error @+1 {{expected a constant axis}}
  %d = tensor.dim %x, %i : tensor<4xf32>
  %r = tensor.from_elements %d : tensor<index>
  return %r : tensor<index>
}
