// Runs one instruction on values of every lane and compares with a scalar statement of its meaning.
#pragma once
#include "emu_fixture.h"

#include <tuple>
#include <type_traits>

namespace moert::emu {

class LanewiseTest : public EmuTest {
protected:
  // `code` is a mnemonic, or instructions in which $0 is the destination and $1, $2, ... are the sources. Sources for
  // which `isDefined` is false become 1.
  template <typename D, typename... S>
  void check(const std::string &code, std::type_identity_t<D (*)(S...)> expected,
             std::type_identity_t<bool (*)(S...)> isDefined = nullptr) {
    for (uint32_t seed = 1; seed <= 8; ++seed) {
      uint32_t sourceSeed = seed * 16;
      std::tuple<std::vector<S>...> sources{makeValues<S>(++sourceSeed)...};
      std::apply([&](auto &...values) { checkOnce<D, S...>(code, expected, isDefined, values...); }, sources);
    }
  }

private:
  static std::string makeRegister(size_t bytes, size_t operand) {
    return (bytes <= 2 ? "%h" : bytes == 4 ? "%r" : "%d") + std::to_string(operand + 1);
  }
  static std::string makeAddress(size_t bytes, size_t parameter) {
    return "mad.wide.u32 %d20, %r0, " + std::to_string(bytes) + ", %in" + std::to_string(parameter) + ";\n";
  }

  static std::string makeBody(const std::string &code, size_t resultBytes, const std::vector<size_t> &sourceBytes) {
    std::string body, statement = code;
    if (code.find('$') == std::string::npos)
      for (size_t i = 0; i <= sourceBytes.size(); ++i)
        statement += (i ? ", $" : " $") + std::to_string(i);
    for (size_t i = 0; i <= sourceBytes.size(); ++i) {
      const size_t bytes = i ? sourceBytes[i - 1] : resultBytes;
      const std::string name = makeRegister(bytes, i), placeholder = "$" + std::to_string(i);
      if (i)
        body += makeAddress(bytes, i - 1) + "ld.global.b" + std::to_string(8 * bytes) + " " + name + ", [%d20];\n";
      for (size_t at; (at = statement.find(placeholder)) != std::string::npos;)
        statement.replace(at, placeholder.size(), name);
    }
    return body + statement + ";\n" + makeAddress(resultBytes, sourceBytes.size()) + "st.global.b" +
           std::to_string(8 * resultBytes) + " [%d20], " + makeRegister(resultBytes, 0) + ";\n";
  }

  template <typename D, typename... S>
  void checkOnce(const std::string &code, D (*expected)(S...), bool (*isDefined)(S...), std::vector<S> &...sources) {
    for (uint32_t lane = 0; isDefined && lane < warpSize; ++lane)
      if (!isDefined(sources[lane]...))
        ((sources[lane] = 1), ...);
    const uint64_t output = allocate<D>(warpSize);
    const std::string ptx = makeKernel(makeBody(code, sizeof(D), {sizeof(S)...}), static_cast<int>(sizeof...(S) + 1));
    const Status status = launch(ptx, {upload(sources)..., output});
    ASSERT_TRUE(status.ok()) << status.getMessage();
    const std::vector<D> result = download<D>(output, warpSize);
    for (uint32_t lane = 0; lane < warpSize; ++lane)
      ASSERT_TRUE(isSame(result[lane], expected(sources[lane]...)))
          << code << " lane " << lane << ": " << result[lane] << ", expected " << expected(sources[lane]...);
  }
};

} // namespace moert::emu
