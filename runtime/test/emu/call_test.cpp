// Functions, variables of modules, branch tables and names inside blocks, as LLVM writes them.
#include "emu_fixture.h"

namespace moert::emu {
namespace {

class CallTest : public EmuTest {
protected:
  // `functions` stand before the kernel.
  Status run(const std::string &functions, const std::string &body, std::vector<uint32_t> &results,
             const std::string &variables = "") {
    const uint64_t output = allocate<uint32_t>(32);
    std::string ptx = makeKernel(body + "\nmad.wide.u32 %d31, %r0, 4, %in0; st.global.b32 [%d31], %r1;", 1, variables);
    ptx.insert(ptx.find(".visible"), functions);
    MOERT_TRY(launch(ptx, {output}));
    results = download<uint32_t>(output, 32);
    return Status::success();
  }
  void expectRefused(const std::string &functions, const std::string &body, const std::string &message) {
    std::vector<uint32_t> results;
    const Status status = run(functions, body, results);
    EXPECT_EQ(status.getCode(), MOERT_UNSUPPORTED);
    EXPECT_NE(status.getMessage().find(message), std::string::npos) << status.getMessage();
  }
};

// Lanes that call from different places and loop different numbers of times inside of the function.
const std::string sumBelow =
    ".func (.param .b32 func_retval0) sum_below(.param .b32 sum_below_param_0);\n"
    ".func (.param .b32 func_retval0) sum_below(.param .b32 sum_below_param_0)\n{\n"
    ".reg .pred %p<2>; .reg .b32 %r<4>;\n"
    "ld.param.b32 %r1, [sum_below_param_0]; mov.b32 %r2, 0; setp.eq.b32 %p1, %r1, 0; @%p1 bra $done;\n"
    "$loop: .pragma \"nounroll\"; add.s32 %r1, %r1, -1; add.s32 %r2, %r2, %r1; setp.ne.b32 %p1, %r1, 0; @%p1 bra "
    "$loop;\n"
    "$done: st.param.b32 [func_retval0], %r2; ret;\n}\n";
const std::string callSumBelow = "{ .param .b32 param0; .param .b32 retval0; st.param.b32 [param0], %r2;\n"
                                 "call.uni (retval0), sum_below, (param0); ld.param.b32 %r1, [retval0]; }\n";

TEST_F(CallTest, FunctionsReturnValues) {
  std::vector<uint32_t> results;
  const std::string body = "setp.lt.u32 %p1, %r0, 16; mov.b32 %r2, %r0; @%p1 bra $low; add.s32 %r2, %r0, 5;\n" +
                           callSumBelow + "bra $end;\n$low:\n" + callSumBelow + "$end: add.s32 %r1, %r1, 0;";
  const Status status = run(sumBelow, body, results);
  ASSERT_TRUE(status.ok()) << status.getMessage();
  for (uint32_t lane = 0; lane < 32; ++lane) {
    const uint32_t n = lane < 16 ? lane : lane + 5;
    EXPECT_EQ(results[lane], n * (n - 1) / 2);
  }
}

// A structure goes in by value, is changed by the function through its address, and comes back; the function calls
// another.
TEST_F(CallTest, StructuresAndNestedCalls) {
  const std::string functions =
      sumBelow +
      ".func (.param .align 8 .b8 func_retval0[16]) change(.param .align 8 .b8 change_param_0[16])\n{\n"
      ".local .align 8 .b8 __local_depot1[8]; .reg .b32 %r<9>; .reg .b64 %rd<9>;\n"
      "mov.b64 %rd1, change_param_0; ld.local.b32 %r1, [%rd1+8]; add.s32 %r2, %r1, 1; st.local.b32 [%rd1+8], %r2;\n" +
      callSumBelow +
      "mov.b64 %rd2, __local_depot1; st.local.b32 [%rd2+4], %r1; ld.local.b32 %r3, [%rd2+4];\n"
      "st.param.b32 [func_retval0], %r3; ld.param.b32 %r4, [change_param_0+8];\n"
      "st.param.b32 [func_retval0+8], %r4; ret;\n}\n";
  const std::string body =
      "{ .param .align 8 .b8 param0[16]; .param .align 8 .b8 retval0[16]; st.param.b32 [param0+8], %r0;\n"
      "call.uni (retval0), change, (param0); ld.param.b32 %r1, [retval0]; ld.param.b32 %r3, [retval0+8]; }\n"
      "mad.lo.s32 %r1, %r3, 1000, %r1;";
  std::vector<uint32_t> results;
  const Status status = run(functions, body, results);
  ASSERT_TRUE(status.ok()) << status.getMessage();
  for (uint32_t lane = 0; lane < 32; ++lane)
    EXPECT_EQ(results[lane], (lane + 1) * 1000 + lane * (lane + 1) / 2);
}

// What a function left in its registers or memory is no value for the next call.
TEST_F(CallTest, EachCallStartsWithoutValues) {
  const std::string functions = ".func touch()\n{ .reg .b32 %r<3>; .reg .pred %p<2>; mov.u32 %r1, %tid.x; "
                                "setp.gt.u32 %p1, %r1, 99; @%p1 mov.b32 %r2, 1; add.s32 %r2, %r2, 1; "
                                "mov.b64 %d9, out; ret; }\n";
  const std::string remembers = ".shared .align 4 .b8 out[4]; .func touch()\n{ .reg .b32 %r<3>; .reg .b64 %rd<2>;\n"
                                "mov.b64 %rd1, out; add.s32 %r2, %r2, 1; st.shared.b32 [%rd1], %r2; ret; }\n";
  std::vector<uint32_t> results;
  const Status status = run(remembers, "call touch; mov.b32 %r1, 0;", results);
  EXPECT_EQ(status.getCode(), MOERT_RUN_FAILED);
  EXPECT_NE(status.getMessage().find("was never written"), std::string::npos) << status.getMessage();
  expectRefused(functions, "call touch;", "unknown register '%d9'");
}

TEST_F(CallTest, WhatCallsCannotDo) {
  expectRefused(".func f() { call f; ret; }\n", "call f;", "function 'f' calls itself, which is not supported");
  expectRefused(".extern .func f();\n", "call f;", "no function 'f' in this module");
  expectRefused("", "call f;", "no function 'f' in this module");
  expectRefused(".func f() { ret; }\n", "@%p1 call f;", "expected '(results), function, (arguments)' and no predicate");
  expectRefused(sumBelow, "call sum_below;", "0 arguments or results, expected 1");
  expectRefused(sumBelow, "{ .param .b64 a; .param .b32 b; call (b), sum_below, (a); }",
                "'a' is no variable of .param with 4 bytes, aligned to 4");
}

TEST_F(CallTest, ModuleVariables) {
  const std::string variables = ".global .align 4 .b8 bytes[12] = {1, 0, 0, 0, 255, 255, 255, 255, 7};\n"
                                ".visible .const .align 4 .f32 half = 0f3F000000; .global .align 4 .u32 zero;\n"
                                ".global .align 8 .u64 places[2] = {generic(bytes)+4, bytes};\n";
  const std::string body =
      "ld.global.b32 %r2, [bytes+8]; mov.b64 %d1, half; ld.const.f32 %r3, [%d1]; cvt.rzi.s32.f32 "
      "%r4, %r3; ld.global.b64 %d2, [places]; ld.b32 %r5, [%d2]; ld.global.b64 %d3, [places+8];\n"
      "ld.global.b32 %r6, [%d3]; ld.global.b32 %r7, [zero]; mov.b64 %d4, bytes+4; ld.global.b32 %r8, "
      "[%d4+-4]; add.s32 %r1, %r2, %r4; add.s32 %r1, %r1, %r5; add.s32 %r1, %r1, %r6;\n"
      "add.s32 %r1, %r1, %r7; add.s32 %r1, %r1, %r8;";
  std::vector<uint32_t> results;
  const std::string withoutSign = body.substr(0, body.find("+-4")) + "-4" + body.substr(body.find("+-4") + 3);
  const Status status = run(variables, withoutSign, results);
  ASSERT_TRUE(status.ok()) << status.getMessage();
  EXPECT_EQ(results[3], 7u + 0 + ~0u + 1 + 0 + 1);
  expectRefused(".extern .global .b8 other[4];\n", "", "variable 'other' is not defined in this module");
  expectRefused(".global .b8 a[1] = {1, 2};\n", "", "variable 'a' has 2 values, expected at most 1");
  expectRefused(".global .b32 a = b;\n", "", "variable 'a' cannot hold the address of 'b'");
  expectRefused(".global .b32 a; .global .b32 a;\n", "", "variable 'a' is declared twice");
}

TEST_F(CallTest, AddressesOfParameters) {
  std::vector<uint32_t> results;
  const std::string body =
      "mov.b64 %d1, k_param_0; cvta.param.u64 %d2, %d1; ld.b64 %d3, [%d2]; sub.s64 %d4, %d3, %in0;\n"
      "cvt.u32.u64 %r1, %d4; add.s32 %r1, %r1, 3;";
  const Status status = run("", body, results);
  ASSERT_TRUE(status.ok()) << status.getMessage();
  EXPECT_EQ(results, std::vector<uint32_t>(32, 3));
}

TEST_F(CallTest, BranchTables) {
  const std::string body =
      "and.b32 %r2, %r0, 3; bra $go;\n$one: mov.b32 %r1, 11; bra $end;\n$two: mov.b32 %r1, 22; bra $end;\n"
      "$three: mov.b32 %r1, 33; bra $end;\n$go:\n$table: .branchtargets $three, $one, $two, $one;\n"
      "brx.idx %r2, $table;\n$end: bar.warp.sync -1;";
  std::vector<uint32_t> results;
  const Status status = run("", body, results);
  ASSERT_TRUE(status.ok()) << status.getMessage();
  for (uint32_t lane = 0; lane < 32; ++lane)
    EXPECT_EQ(results[lane], (std::array{33u, 11u, 22u, 11u})[lane % 4]);
  expectRefused("", "brx.idx %r2, $none;", "expected a register and the name of a branch table");
  std::vector<uint32_t> none;
  EXPECT_EQ(run("", "$t: .branchtargets $end; brx.idx %r0, $t;\n$end: mov.b32 %r1, 0;", none).getCode(),
            MOERT_RUN_FAILED);
}

TEST_F(CallTest, NamesInBlocks) {
  std::vector<uint32_t> results;
  const Status status = run("",
                            "mov.b32 %r1, 1; { .reg .b32 %r<3>; mov.b32 %r1, 50; { .reg .b32 %t; mov.b32 %t, %r1; "
                            "mov.b32 %r2, %t; } mov.b32 %r5, %r2; } add.s32 %r1, %r1, %r5;",
                            results);
  ASSERT_TRUE(status.ok()) << status.getMessage();
  EXPECT_EQ(results[0], 51u);
}

TEST_F(CallTest, DebugInformationIsSkipped) {
  std::vector<uint32_t> results;
  const Status status =
      run(".file 1 \"a.c\"\n.section .debug_info { .b8 1 .b32 $L__label }\n",
          ".loc 1 7 3\nmov.b32 %r1, 4;\n.loc 1 8 3, function_name $L__x, inlined_at 1 2 3\n", results);
  ASSERT_TRUE(status.ok()) << status.getMessage();
  EXPECT_EQ(results[0], 4u);
}

TEST_F(CallTest, TrapsSayWhere) {
  std::vector<uint32_t> results;
  const Status status = run("", "mov.b32 %r1, 0; setp.eq.u32 %p1, %r0, 9;\n@%p1 trap;", results);
  EXPECT_EQ(status.getCode(), MOERT_RUN_FAILED);
  EXPECT_NE(status.getMessage().find("lane 9, line 11: trap"), std::string::npos) << status.getMessage();
}

TEST_F(CallTest, LocalMemoryKeepsWhatHasNoValue) {
  std::vector<uint32_t> results;
  const std::string variables = ".local .align 8 .b8 depot[16];";
  const std::string copy = "mov.b64 %d1, depot; st.local.b32 [%d1], %r0; st.local.b64 [%d1+8], %d9;\n"
                           "ld.local.v4.b32 {%r2, _, %r3, %r4}, [depot]; mov.b32 %r1, ";
  const Status status = run("", copy + "%r2;", results, variables);
  EXPECT_FALSE(status.ok()) << "aligned to 8 and no better";
  const std::string pairs = "mov.b64 %d1, depot; st.local.b32 [%d1], %r0; st.local.b64 [%d1+8], %d9;\n"
                            "ld.local.v2.b32 {%r2, _}, [depot]; ld.local.v2.b32 {_, %r4}, [depot+8]; mov.b32 %r1, ";
  const Status defined = run("", pairs + "%r2;", results, variables);
  EXPECT_TRUE(defined.ok()) << defined.getMessage();
  EXPECT_EQ(run("", pairs + "%r4;", results, variables).getCode(), MOERT_RUN_FAILED);
}

} // namespace
} // namespace moert::emu
