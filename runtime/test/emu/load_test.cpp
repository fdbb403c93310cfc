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
  expectBodyRefused("add.ftz.f64 %d1, %d2, %d3;", "line 10: 'add.ftz.f64': '.ftz' of .f64");
  expectBodyRefused("mma.sync.aligned.m16n8k32.row.col.f32.tf32.tf32.f32 {%r1, %r2, %r3, %r4}, {%r1, %r2, %r3, %r4}, "
                    "{%r1, %r2}, {%r1, %r2, %r3, %r4};",
                    "no product of this shape has these types");
  expectBodyRefused("mma.sync.aligned.m16n8k8.row.col.f32;", "expected the types of D, A, B and C");
  expectBodyRefused("stmatrix.sync.aligned.m8n8.x1.shared.b16 [%d1], {%r1};", "this instruction needs sm_90");
  expectBodyRefused("add.rn.bf16 %h1, %h2, %h3;", "this form of .bf16 needs sm_90");
  expectBodyRefused("fma.f16 %h1, %h2, %h3, %h4;", "expected '.rn'");
  expectBodyRefused("fma.f32 %r1, %r2, %r3, %r4;", "expected a rounding");
  expectBodyRefused("neg.rn.f32 %r1, %r2;", "a rounding of what is exact");
  expectBodyRefused("div.rn.sat.f32 %r1, %r2, %r3;", "'.sat' is not known here");
  expectBodyRefused("rem.f32 %r1, %r2, %r3;", "'.f32' is not known here");
  expectBodyRefused("ex2.f64 %d1, %d2;", "expected '.approx'");
  expectBodyRefused("sad.f32 %r1, %r2, %r3, %r4;", "'.f32' is not known here");
  expectBodyRefused("lg2.approx.f16 %h1, %h2;", "no form of this instruction has this type");
  expectBodyRefused("setp.lt.b32 %p1, %r1, %r2;", "comparison '.lt' of .b32 is not known");
  expectBodyRefused("cvt.rni.f32.s32 %r1, %r2;", "this conversion is not known");
  expectBodyRefused("cvt.ftz.f64.f16 %d1, %h2;", "'.ftz' without .f32");
  expectBodyRefused("cvt.rn.relu.f32.f64 %r1, %d2;", "'.relu' is known from .f32 to a type of 16 bits only");
  expectBodyRefused("cvt.f32.s32 %r1, %r2;", "this conversion is not known");
  expectBodyRefused("mul.s32 %r1, %r2, %r3;", "expected '.lo', '.hi' or '.wide'");
  expectBodyRefused("mul.wide.u64 %d1, %d2, %d3;", "'.wide' of 64 bits");
  expectBodyRefused("mad.wide.s64 %d1, %d2, %d3, %d4;", "'.wide' of 64 bits");
  expectBodyRefused("ld.global.v4.b64 {%d1, %d2, %d3, %d4}, [%d5];", "more than 16 bytes at once");
  expectBodyRefused("cp.async.cg.shared.global [%d1], [%d2], 8;", "copy of 8 bytes");
  expectBodyRefused("cp.async.wait_group -1;", "a negative number of groups");
  expectBodyRefused("cvta.tex.u64 %d1, %d2;", "expected '.global', '.const', '.shared' or '.local'");
  expectBodyRefused("isspacep.const %p1, %d2;", "expected '.global', '.shared' or '.local'");
  expectBodyRefused("ld.relaxed.global.b32 %r1, [%d1];", "expected '.cta', '.gpu' or '.sys'");
  expectBodyRefused("st.const.b32 [%d1], %r1;", "constants cannot be stored to");
  expectBodyRefused("atom.global.xyz.u32 %r1, [%d1], %r2;", "expected an operation");
  expectBodyRefused("atom.global.add.f16 %h1, [%d1], %h2;", "expected '.noftz'");
  expectBodyRefused("atom.global.add.s64 %d1, [%d1], %d2;", "'.add' of .s64 is not known");
  expectBodyRefused("red.global.exch.b32 [%d1], %r2;", "'.exch' without a result");
  expectBodyRefused("shfl.sync.xyz.b32 %r1, %r2, 1, 31, -1;", "expected '.up', '.down', '.bfly' or '.idx'");
  expectBodyRefused("vote.sync.most.pred %p1, %p2, -1;", "expected '.all', '.any', '.uni' or '.ballot'");
  expectBodyRefused("match.any.sync.b32 %r1|%p1, %r2, -1;", "a predicate without '.all'");
  expectBodyRefused("redux.sync.mul.s32 %r1, %r2, -1;", "'.mul' of .s32 is not known");
  expectBodyRefused("elect.sync %r1|%p1, -1;", "this instruction is not known");
  expectBodyRefused("lop3.b32 %r1, %r2, %r3, %r4, 256;", "a table of 256, expected 0 to 255");
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
  expectBodyRefused("st.param.b32 [k_param_0], %r1;", "expected the address of a parameter by name");
  expectBodyRefused("ld.global.v2.b32 {%r1, %d2}, [%d1];", "registers of different sizes in a vector");
  expectBodyRefused("mov.b16 %h1, k_param_0;", "an address in .b16");
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
  expectBodyRefused(".frobnicate 4;", "directive '.frobnicate' is not known");
  expectBodyRefused(".pragma \"nounroll;", "line 10: string without an end");
  expectBodyRefused("again: again: ret;", "second declaration of 'again'");
  expectBodyRefused(std::string(65, '{'), "line 10: more than 64 blocks inside each other");
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
  expectRefused(replaced(".visible", ".global .b8 table[4]; .visible"),
                "variable 'table' needs device memory, and the module is loaded without any");
  expectRefused(replaced(".visible", ".alias f, g; .visible"), "expected a directive of a module, found '.alias'");
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
