// RUN: moe-opt %s --moe-form-kernels --moe-emit-kernels=vector-lanes=32 --split-input-file --verify-diagnostics

func.func @softmax(%x: tensor<?x8xf64>) -> tensor<?x8xf64> {
  // expected-error @below {{'nn.softmax' op has no kernel for element type 'f64', expected f32, f16 or bf16}}
  %0 = nn.softmax %x : tensor<?x8xf64>
  return %0 : tensor<?x8xf64>
}

// -----

func.func @norm(%x: tensor<?x8xf32>, %w: tensor<8xf64>) -> tensor<?x8xf32> {
  // expected-error @below {{'nn.rms_norm' op has no kernel for element type 'f64', expected f32, f16 or bf16}}
  %0 = nn.rms_norm %x weight %w eps 1.0e-5 : (tensor<?x8xf32>, tensor<8xf64>) -> tensor<?x8xf32>
  return %0 : tensor<?x8xf32>
}

// -----

func.func @rotary(%x: tensor<1x2x?x8xf64>, %t: tensor<1x?x4xf32>) -> tensor<1x2x?x8xf64> {
  // expected-error @below {{'nn.rotary' op has no kernel for element type 'f64', expected f32, f16 or bf16}}
  %0 = nn.rotary %x, %t, %t interleaved false
    : (tensor<1x2x?x8xf64>, tensor<1x?x4xf32>, tensor<1x?x4xf32>) -> tensor<1x2x?x8xf64>
  return %0 : tensor<1x2x?x8xf64>
}

// -----

func.func @attention(%q: tensor<1x2x?x8xf32>, %m: tensor<1x1x?x?xf64>) -> tensor<1x2x?x8xf32> {
  // expected-error @below {{'nn.attention' op has no kernel for element type 'f64', expected f32, f16 or bf16}}
  %0 = nn.attention %q, %q, %q mask %m scale 1.0
    : (tensor<1x2x?x8xf32>, tensor<1x2x?x8xf32>, tensor<1x2x?x8xf32>, tensor<1x1x?x?xf64>) -> tensor<1x2x?x8xf32>
  return %0 : tensor<1x2x?x8xf32>
}

// -----

func.func @lanes(%q: tensor<1x2x?x8xf32>) -> tensor<1x2x?x8xf32> {
  // expected-error @below {{'nn.attention' op has no kernel for vectors of 32 lanes, expected 1, 4, 8 or 16}}
  %0 = nn.attention %q, %q, %q scale 1.0
    : (tensor<1x2x?x8xf32>, tensor<1x2x?x8xf32>, tensor<1x2x?x8xf32>) -> tensor<1x2x?x8xf32>
  return %0 : tensor<1x2x?x8xf32>
}

// -----

func.func @pad(%x: tensor<?xi64>) -> tensor<?xi64> {
  // expected-error @below {{'tensor.pad' op has no kernel for padding that depends on the position}}
  %0 = tensor.pad %x low[1] high[2] {
  ^bb0(%i: index):
    %value = arith.index_cast %i : index to i64
    tensor.yield %value : i64
  } : tensor<?xi64> to tensor<?xi64>
  return %0 : tensor<?xi64>
}
