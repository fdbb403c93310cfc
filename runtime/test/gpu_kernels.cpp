// The step programs compute blocks of 128 threads as a compiler would.
#include "gpu_kernels.h"

namespace moert::test {

std::string makeEntry(std::string_view name, uint32_t buffers, uint32_t scalars, std::string_view body) {
  std::string parameters, loads;
  const uint32_t count = buffers + scalars + MOERT_GPU_EXTRA_PARAMETERS;
  const char *const extras[] = {"workspace", "flags", "status", "tasks"};
  for (uint32_t i = 0; i < count; ++i) {
    const std::string parameter = std::string(name) + "_param_" + std::to_string(i);
    const uint32_t extra = i - buffers - scalars;
    const std::string target = i < buffers + scalars ? "in" + std::to_string(i) : extras[extra];
    parameters += (i ? ", .param .u64 " : ".param .u64 ") + parameter;
    loads += "ld.param.u64 %" + target + ", [" + parameter + "];\n";
  }
  return ".visible .entry " + std::string(name) + "(" + parameters +
         ")\n{\n.reg .pred %p<8>; .reg .b32 %r<16>; .reg .f32 %f<16>; .reg .b64 %d<16>;\n"
         ".reg .b64 %in<8>; .reg .b64 %workspace; .reg .b64 %flags; .reg .b64 %status; .reg .b64 %tasks;\n"
         ".reg .b64 %thread;\n" +
         loads +
         "mov.u32 %r1, %ctaid.x; mov.u32 %r2, %ntid.x; mov.u32 %r3, %tid.x;\n"
         "mad.lo.s32 %r1, %r1, %r2, %r3; cvt.u64.u32 %thread, %r1;\n" +
         std::string(body) + "\ndone:\nret;\n}\n";
}

std::string makeModule(const std::vector<std::string> &entries) {
  std::string ptx = ".version 7.0\n.target sm_80\n.address_size 64\n";
  for (const std::string &entry : entries)
    ptx += entry;
  return ptx;
}

ArtifactBuilder makeVectorAdd() {
  ArtifactBuilder builder;
  const int64_t n = -1 - int64_t(builder.symbol("n"));
  builder.input("a", MOERT_F32, {n});
  builder.input("b", MOERT_F32, {n});
  builder.output("c", MOERT_F32, {n});
  const uint32_t kernel = builder.gpuKernel("add", 3, 1);
  const char *body =
      "setp.ge.u64 %p1, %thread, %in3; @%p1 bra done;\n"
      "shl.b64 %d1, %thread, 2; add.s64 %d2, %in0, %d1; add.s64 %d3, %in1, %d1; add.s64 %d4, %in2, %d1;\n"
      "ld.global.f32 %f1, [%d2]; ld.global.f32 %f2, [%d3]; add.rn.f32 %f3, %f1, %f2;\n"
      "st.global.f32 [%d4], %f3;";
  builder.gpuVariant("sm_80", 80, makeModule({makeEntry("add", 3, 1, body)}), {builder.gpuEntry("add", 128)});
  enum { extent, threads, blocks, zero };
  builder.steps.step(MOERT_STEP_INPUT_DIM, {extent, 0, 0});
  builder.steps.constant(threads, 128);
  builder.steps.step(MOERT_STEP_BINARY, {blocks, extent, threads, MOERT_BINARY_CEILDIV});
  builder.steps.step(MOERT_STEP_OUTPUT, {builder.slot(0), 0, extent});
  builder.dispatch(kernel, extent, zero, zero, "sum", {builder.inputSlot(0), builder.inputSlot(1), builder.slot(0)},
                   {extent}, blocks, zero);
  builder.steps.step(MOERT_STEP_RETURN, {});
  return builder;
}

ArtifactBuilder makeGather(int64_t rows) {
  ArtifactBuilder builder;
  const int64_t n = -1 - int64_t(builder.symbol("n"));
  builder.input("table", MOERT_F32, {rows});
  builder.input("index", MOERT_I64, {n});
  builder.output("y", MOERT_F32, {n});
  const uint32_t kernel = builder.gpuKernel("gather", 3, 2);
  const char *body = "setp.ge.u64 %p1, %thread, %in3; @%p1 bra done;\n"
                     "shl.b64 %d1, %thread, 3; add.s64 %d1, %in1, %d1; ld.global.u64 %d2, [%d1];\n"
                     "setp.lt.u64 %p2, %d2, %in4; @%p2 bra inside;\n"
                     "mov.u32 %r5, 1; red.global.max.u32 [%status], %r5; bra done;\n"
                     "inside:\n"
                     "shl.b64 %d3, %d2, 2; add.s64 %d3, %in0, %d3; ld.global.f32 %f1, [%d3];\n"
                     "shl.b64 %d4, %thread, 2; add.s64 %d4, %in2, %d4; st.global.f32 [%d4], %f1;";
  builder.gpuVariant("sm_80", 80, makeModule({makeEntry("gather", 3, 2, body)}), {builder.gpuEntry("gather", 128)});
  enum { extent, limit, threads, blocks, zero };
  builder.steps.step(MOERT_STEP_INPUT_DIM, {extent, 1, 0});
  builder.steps.constant(limit, rows);
  builder.steps.constant(threads, 128);
  builder.steps.step(MOERT_STEP_BINARY, {blocks, extent, threads, MOERT_BINARY_CEILDIV});
  builder.steps.step(MOERT_STEP_OUTPUT, {builder.slot(0), 0, extent});
  builder.dispatch(kernel, extent, zero, zero, "/embed/Gather",
                   {builder.inputSlot(0), builder.inputSlot(1), builder.slot(0)}, {extent, limit}, blocks, zero);
  builder.steps.step(MOERT_STEP_RETURN, {});
  return builder;
}

ArtifactBuilder makeSingleLaunch(std::string_view body, uint32_t workspaceBytes) {
  ArtifactBuilder builder;
  builder.weight("w", MOERT_F32, {32}, toBytes(std::vector<float>(32, 1.0f)));
  builder.output("y", MOERT_F32, {32});
  const uint32_t kernel = builder.gpuKernel("single", 2, 0);
  builder.gpuVariant("sm_80", 80, makeModule({makeEntry("single_entry", 2, 0, body)}),
                     {builder.gpuEntry("single_entry", 32)});
  enum { one, extent, bytes, zero };
  builder.steps.constant(one, 1);
  builder.steps.constant(extent, 32);
  builder.steps.constant(bytes, workspaceBytes);
  builder.steps.step(MOERT_STEP_OUTPUT, {builder.slot(0), 0, extent});
  builder.dispatch(kernel, one, zero, zero, "/layer/MatMul", {builder.weightSlot(0), builder.slot(0)}, {}, one, bytes);
  builder.steps.step(MOERT_STEP_RETURN, {});
  return builder;
}

} // namespace moert::test
