// Recursive descent over a PTX module: its variables and functions.
#include "devices/emu/ptx_parser.h"
#include "devices/emu/ptx_reader.h"

namespace moert::emu {
namespace {

class Parser {
public:
  Parser(const std::vector<Token> &tokens, ModuleSyntax &module) : reader(tokens), module(module) {}

  Status parseModule() {
    while (!reader.atEnd())
      MOERT_TRY(parseDirective());
    module.sources = std::move(reader.getSources());
    return Status::success();
  }

private:
  Status parseDirective();
  Status parseDeclaration();
  Status parseModuleVariable(bool isExtern);
  Status parseInitialValues(VariableSyntax &variable);
  Status parseInitialValue(InitialValueSyntax &value);
  Status parseFunction(bool isKernel);
  Status parseParameters(std::vector<VariableSyntax> &parameters);
  Status parseAttributes(FunctionSyntax &function);
  Status parseThreads(std::array<uint32_t, 3> &threads);
  Status skipSection();

  TokenReader reader;
  ModuleSyntax &module;
};

Status Parser::parseDirective() {
  if (reader.accept(".version")) {
    if (reader.peek().kind != Token::Kind::Number)
      return reader.refuseNext("a version");
    module.version = reader.peek().text;
    reader.skip();
    return Status::success();
  }
  if (reader.accept(".target")) {
    MOERT_TRY(reader.takeWord("a target", module.target));
    while (reader.accept(',')) { // `debug` and the like
      std::string_view option;
      MOERT_TRY(reader.takeWord("an option of the target", option));
    }
    return Status::success();
  }
  if (reader.accept(".address_size")) {
    uint64_t bits;
    const uint32_t line = reader.getLine();
    MOERT_TRY(reader.takeInteger(bits));
    return bits == 64 ? Status::success() : reader.refuse(line, "addresses of ", bits, " bits, expected 64");
  }
  if (reader.accept(".section"))
    return skipSection();
  return reader.acceptSourceLocation() ? Status::success() : parseDeclaration();
}

Status Parser::parseDeclaration() {
  bool isExtern = false;
  while (reader.peek().is(".extern") || reader.acceptAny({".visible", ".weak", ".common"}))
    isExtern |= reader.accept(".extern");
  if (reader.accept(".entry"))
    return parseFunction(true);
  if (reader.accept(".func"))
    return parseFunction(false);
  for (std::string_view space : {".shared", ".global", ".const"})
    if (reader.peek().is(space))
      return parseModuleVariable(isExtern);
  return reader.refuseNext("a directive of a module");
}

// Debug information.
Status Parser::skipSection() {
  while (!reader.peek().is('{') && !reader.atEnd())
    reader.skip();
  while (!reader.peek().is('}') && !reader.atEnd())
    reader.skip();
  return reader.expect('}');
}

Status Parser::parseModuleVariable(bool isExtern) {
  VariableSyntax &variable = module.variables.emplace_back();
  variable.isExtern = isExtern;
  MOERT_TRY(reader.takeVariable(variable));
  if (variable.space != ".shared" && reader.accept('='))
    MOERT_TRY(parseInitialValues(variable));
  return reader.expect(';');
}

Status Parser::parseInitialValues(VariableSyntax &variable) {
  if (!reader.accept('{'))
    return parseInitialValue(variable.initialValues.emplace_back());
  do
    MOERT_TRY(parseInitialValue(variable.initialValues.emplace_back()));
  while (reader.accept(','));
  return reader.expect('}');
}

// `12`, `0f3F800000`, `name`, `name+4`, `generic(name)+4`.
Status Parser::parseInitialValue(InitialValueSyntax &value) {
  if (reader.peek().kind != Token::Kind::Word) {
    OperandSyntax literal;
    MOERT_TRY(reader.takeLiteral(literal));
    value.bits = literal.bits;
    return Status::success();
  }
  value.isGeneric = reader.accept("generic");
  if (value.isGeneric)
    MOERT_TRY(reader.expect('('));
  MOERT_TRY(reader.takeWord("a variable", value.variable));
  if (value.isGeneric)
    MOERT_TRY(reader.expect(')'));
  return reader.accept('+') ? reader.takeInteger(value.bits) : Status::success();
}

Status Parser::parseFunction(bool isKernel) {
  FunctionSyntax &function = module.functions.emplace_back();
  function.isKernel = isKernel;
  if (!isKernel && reader.accept('('))
    MOERT_TRY(parseParameters(function.results));
  function.line = reader.getLine();
  MOERT_TRY(reader.takeWord(isKernel ? "the name of a kernel" : "the name of a function", function.name));
  if (reader.accept('('))
    MOERT_TRY(parseParameters(function.parameters));
  MOERT_TRY(parseAttributes(function));
  if (!isKernel && reader.accept(';'))
    return Status::success();
  function.hasBody = true;
  return parseBody(reader, function);
}

Status Parser::parseParameters(std::vector<VariableSyntax> &parameters) {
  if (reader.accept(')'))
    return Status::success();
  do {
    if (!reader.peek().is(".param"))
      return reader.refuseNext("'.param'");
    MOERT_TRY(reader.takeVariable(parameters.emplace_back()));
  } while (reader.accept(','));
  return reader.expect(')');
}

Status Parser::parseAttributes(FunctionSyntax &function) {
  while (!reader.peek().is('{') && !reader.peek().is(';')) {
    uint64_t ignored;
    if (reader.accept(".maxntid")) {
      MOERT_TRY(parseThreads(function.maxThreads));
    } else if (reader.accept(".reqntid")) {
      MOERT_TRY(parseThreads(function.threads));
    } else if (reader.accept(".minnctapersm") || reader.accept(".maxnreg")) {
      MOERT_TRY(reader.takeInteger(ignored)); // what the assembler shall aim for
    } else if (!reader.accept(".noreturn") && !reader.acceptSourceLocation()) {
      return reader.refuseNext("a directive of a kernel or '{'");
    }
  }
  return Status::success();
}

Status Parser::parseThreads(std::array<uint32_t, 3> &threads) {
  threads = {1, 1, 1};
  size_t axis = 0;
  do {
    uint64_t count;
    const uint32_t line = reader.getLine();
    MOERT_TRY(reader.takeInteger(count));
    if (axis == 3 || count == 0 || count > 1024)
      return reader.refuse(line, "expected up to three counts of threads between 1 and 1024");
    threads[axis++] = static_cast<uint32_t>(count);
  } while (reader.accept(','));
  return Status::success();
}

} // namespace

Status parsePtx(std::string_view text, ModuleSyntax &module) {
  std::vector<Token> tokens;
  MOERT_TRY(tokenize(text, tokens));
  return Parser(tokens, module).parseModule();
}

} // namespace moert::emu
