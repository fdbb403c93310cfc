// What is not understood is refused when the module is loaded, with its line.
#include "emu_fixture.h"

namespace moert::emu {
namespace {

void expectRefused(const std::string &ptx, const std::string &message) {
  Module module;
  const Status status = Module::load(ptx, module);
  EXPECT_EQ(status.getCode(), MOERT_UNSUPPORTED);
  EXPECT_NE(status.getMessage().find(message), std::string::npos) << status.getMessage() << "\nfor\n" << ptx;
}

void expectBodyRefused(const std::string &body, const std::string &message, const std::string &variables = "") {
  expectRefused(makeKernel(body, 1, variables), message);
}

TEST(LoadTest, UnknownInstructions) {
  expectBodyRefused("frobnicate.b32 %r1, %r2;", "line 10: 'frobnicate.b32': this instruction is not known");
  expectBodyRefused("add.ftz.f32 %r1, %r2, %r3;", "line 10: 'add.ftz.f32': '.ftz' is not known here");
  expectBodyRefused("ld.const.b32 %r1, [%d1];", "line 10: 'ld.const.b32': '.const' is not known here");
  expectBodyRefused("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%r1, %r2, %r3, %r4}, {%r1, %r2, %r3, %r4}, "
                    "{%r1, %r2}, {%r1, %r2, %r3, %r4};",
                    "expected '.m16n8k16'");
  expectBodyRefused("bar.arrive 0, 64;", "expected '.sync'");
  expectBodyRefused("setp.lt.b32 %p1, %r1, %r2;", "comparison '.lt' of .b32 is not known");
  expectBodyRefused("cvt.rz.f32.s32 %r1, %r2;", "'.rz' is not known here");
  expectBodyRefused("cvt.f32.s32 %r1, %r2;", "this conversion is not known");
  expectBodyRefused("mul.s32 %r1, %r2, %r3;", "expected '.lo', '.hi' or '.wide'");
  expectBodyRefused("mul.wide.u64 %d1, %d2, %d3;", "'.wide' of 64 bits");
  expectBodyRefused("mad.wide.s64 %d1, %d2, %d3, %d4;", "'.wide' of 64 bits");
  expectBodyRefused("ld.global.v4.b64 {%d1, %d2, %d3, %d4}, [%d5];", "more than 16 bytes at once");
  expectBodyRefused("cp.async.cg.shared.global [%d1], [%d2], 8;", "copy of 8 bytes");
  expectBodyRefused("cp.async.wait_group -1;", "a negative number of groups");
  expectBodyRefused("cvta.const.u64 %d1, %d2;", "expected '.global', '.shared' or '.local'");
}

TEST(LoadTest, Operands) {
  expectBodyRefused("add.s32 %r1, %r2;", "too few operands");
  expectBodyRefused("add.s32 %r1, %r2, %r3, %r4;", "too many operands");
  expectBodyRefused("add.s32 %r1, %r2, %r99;", "unknown register '%r99'");
  expectBodyRefused("add.s32 %d1, %r2, %r3;", "register '%d1' is .b64, expected .s32");
  expectBodyRefused("add.s32 7, %r2, %r3;", "expected a register");
  expectBodyRefused("add.s32 %r1, %r2, 4294967296;", "number does not fit .s32");
  expectBodyRefused("add.f32 %r1, %r2, 1;", "integer in place of a .f32 value");
  expectBodyRefused("add.s32 %r1, %r2, 0f3F800000;", "floating-point number in place of a .s32 value");
  expectBodyRefused("add.s32 %r1, %r2, [%d1];", "expected a register or a number");
  expectBodyRefused("ld.global.b32 %r1, %d1;", "expected an address");
  expectBodyRefused("ld.global.b32 %r1, [nowhere];", "unknown name 'nowhere'");
  expectBodyRefused("ld.global.b32 %r1, [%h1];", "register '%h1' is .b16, expected 32 or 64 bits");
  expectBodyRefused("ld.global.b32 %r1, [k_param_0];", "address of parameter 'k_param_0'");
  expectBodyRefused("ld.param.b32 %r1, [%d1];", "expected the address of a parameter by name");
  expectBodyRefused("ld.param.b64 %d1, [k_param_0+8];", "8 bytes at offset 8 of a parameter of 8");
  expectBodyRefused("ld.param.b32 %d1, [k_param_0];", "parameter of another size than its register");
  expectBodyRefused("mov.b64 %d1, k_param_0;", "address of 'k_param_0' is not known here");
  expectBodyRefused("mov.b64 {%r1, %r2, %r3}, %d1;", "a vector of 3 is not known here");
  expectBodyRefused("mov.b32 %r1;", "expected two operands");
  expectBodyRefused("bra nowhere;", "expected a label");
  expectBodyRefused("@%r1 bra nowhere;", "'%r1' is not a predicate");
  expectBodyRefused("cp.async.cg.shared.global [%d1], [%d2], %r1;", "expected a number");
  expectBodyRefused("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%r1}, [%d1];", "expected a vector of 2");
  expectBodyRefused("add %r1, %r2, %r3;", "expected a type");
}

TEST(LoadTest, Syntax) {
  expectBodyRefused("add.s32 %r1, %r2, %r3", "line 11: expected ';', found 'ret'");
  expectBodyRefused("add.s32 %r1, %r2, 012;", "integer '012' is neither decimal nor hexadecimal");
  expectBodyRefused("add.s32 %r1, %r2, 1x;", "'1x' is not an integer of 64 bits");
  expectBodyRefused("add.f32 %r1, %r2, 0f3F80000G;", "'0f3F80000G' is not a floating-point number");
  expectBodyRefused("add.s32 %r1, ?;", "line 10: character 63 has no meaning here");
  expectBodyRefused("/* no end", "line 10: comment without an end");
  expectBodyRefused(".pragma nounroll;", "directive '.pragma' is not known");
  expectBodyRefused("again: again: ret;", "second declaration of 'again'");
  expectBodyRefused("{ ret; }", "expected an instruction, found '{'");
  expectBodyRefused("mov.b64 {%r1, {%r2}}, %d1;", "expected an element of a vector, found '{'");
  expectBodyRefused("", "second declaration of '%r0'", ".reg .b32 %r0;");
  expectBodyRefused("", "unknown type 'v7'", ".reg .v7 %x;");
  expectBodyRefused("", "expected 1 to 65536 registers, found 0", ".reg .b32 %x<0>;");
  expectBodyRefused("", "expected ';', found '='", ".shared .align 4 .b8 table[4] = {1};");
  expectBodyRefused("", "alignment 3 is not a power of two", ".shared .align 3 .b8 tile[4];");
  expectBodyRefused("", "of unknown type ''", ".shared tile[4];");
  expectBodyRefused("", "variable of 8589934592 elements", ".shared .b8 tile[8589934592];");
  expectBodyRefused("", "shared variables of kernel 'k' are larger than 1048576 bytes", ".shared .b8 tile[2097152];");
  expectBodyRefused("", "variable 'depot' without a size", ".local .b8 depot[];");
}

TEST(LoadTest, Modules) {
  const std::string ptx = makeKernel("", 1);
  const auto replaced = [&](const std::string &from, const std::string &to) {
    std::string result = ptx;
    return result.replace(result.find(from), from.size(), to);
  };
  expectRefused(".version", "line 1: expected a version, found the end");
  expectRefused("", "PTX without '.version' and '.target'");
  expectRefused(replaced(".address_size 64", ".address_size 32"), "line 3: addresses of 32 bits, expected 64");
  expectRefused(replaced(".visible", ".global .b8 table[4];"), "expected a directive of a module, found '.global'");
  expectRefused(replaced(".visible .entry", ".visible .func"), "expected '.entry', found '.func'");
  expectRefused(replaced(".visible .entry", ".extern .func"), "expected '.shared', found '.func'");
  expectRefused(replaced("\n{", "\n.frobnicate {"), "expected a directive of a kernel or '{', found '.frobnicate'");
  expectRefused(replaced("\n{", "\n.maxntid 2000 {"), "expected up to three counts of threads between 1 and 1024");
  expectRefused(replaced(".param .u64", ".reg .u64"), "expected '.param', found '.reg'");
  expectRefused(replaced(".u64 k_param_0", ".b8 k_param_0[5000]"), "parameters of kernel 'k' do not fit 4096 bytes");
  expectRefused(ptx.substr(0, ptx.size() - 2), "found the end");
  Module module;
  ASSERT_TRUE(Module::load(ptx, module).ok());
  EXPECT_NE(module.findKernel("k"), nullptr);
  EXPECT_EQ(module.findKernel("other"), nullptr);
}

} // namespace
} // namespace moert::emu
