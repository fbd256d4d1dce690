// retort tokenize MODEL_OR_TOKENIZER
#include <iostream>

#include "command.h"
#include "host/base/json.h"
#include "host/base/json_cursor.h"
#include "host/plugin/plugin_error.h"
#include "text/tokenizer.h"

namespace retort::apps {

namespace po = boost::program_options;

namespace {

constexpr std::size_t write_size = std::size_t{1} << 16;

struct Conversion {
  const text::Tokenizer& tokenizer;
  text::Tokenizer::Special special = text::Tokenizer::Special::parse;
  bool with_begin = false;
  bool with_special = true;

  /// A JSON string → its ids, appended to `out` as a JSON array.
  void encode(const host::JsonCursor& line, std::string& out) const {
    std::vector<text::TokenId> ids = tokenizer.encode(line.string(), special);
    if (with_begin) ids.insert(ids.begin(), *tokenizer.begin_token());
    out += '[';
    for (std::size_t i = 0; i < ids.size(); ++i) {
      if (i > 0) out += ',';
      out += std::to_string(ids[i]);
    }
    out += ']';
  }

  /// A JSON array of ids → their text, appended as a JSON string.
  void decode(const host::JsonCursor& line, std::string& out) const {
    std::vector<text::TokenId> ids(line.array().size());
    for (std::size_t i = 0; i < ids.size(); ++i)
      ids[i] = static_cast<text::TokenId>(line.at(i).integer(0, tokenizer.vocabulary_size() - 1));
    out += host::Json(tokenizer.decode(ids, with_special)).dump();
  }
};

/// Converts standard input line by line. Output is written when there is much of it, and when no more input waits, so
/// that a program can talk with this one.
template <class Convert>
void convert_lines(const Convert& convert) {
  std::string out;
  const auto write = [&out] {
    std::cout.write(out.data(), static_cast<std::streamsize>(out.size())).flush();
    out.clear();
  };
  std::string line;
  try {
    for (std::int64_t number = 1; !host::stop_requested() && std::cout && std::getline(std::cin, line); ++number) {
      const std::string origin = "line " + std::to_string(number);
      const host::Json json = host::parse_json(line, origin);
      convert(host::JsonCursor(json, origin), out);
      out += '\n';
      if (out.size() >= write_size || std::cin.rdbuf()->in_avail() <= 0) write();
    }
  } catch (...) {
    write();  // the lines before the wrong one
    throw;
  }
  write();
  if (std::cin.bad()) throw std::runtime_error("cannot read standard input");
}

}  // namespace

int tokenize_command(const Arguments& arguments) {
  po::options_description options("options"), hidden;
  po::positional_options_description positional;
  options.add_options()("decode", po::bool_switch(), "the other way: an array of ids a line, a JSON string out")(
      "begin", po::bool_switch(), "put the token first that the tokenizer puts before a prompt (Llama's <s>)")(
      "as-text", po::bool_switch(), "special tokens in the text are text, as in what users write")(
      "skip-special", po::bool_switch(), "leave special tokens out of decoded text");
  hidden.add_options()("tokenizer", po::value<std::string>()->required());
  positional.add("tokenizer", 1);
  const auto variables =
      parse_command_line(arguments,
                         {"retort tokenize MODEL_OR_TOKENIZER [options]",
                          "Reads one JSON string a line on standard input and prints one array of token ids a line.\n"
                          "MODEL_OR_TOKENIZER is a folder with a tokenizer.json, such a file, or a GGUF file.",
                          "retort tokenize runs/quickstart/model < lines.jsonl"},
                         options, positional, hidden);
  if (!variables) return exit_success;
  const auto flag = [&](const char* name) { return (*variables)[name].as<bool>(); };
  const bool decode = flag("decode");
  if (decode && (flag("begin") || flag("as-text")))
    throw std::invalid_argument("--begin and --as-text are for encoding, not for --decode");
  if (!decode && flag("skip-special")) throw std::invalid_argument("--skip-special is for --decode");

  const text::Tokenizer tokenizer = text::Tokenizer::load((*variables)["tokenizer"].as<std::string>());
  if (flag("begin") && !tokenizer.begin_token())
    throw std::invalid_argument("--begin: this tokenizer puts no token before a prompt");
  const Conversion conversion{
      .tokenizer = tokenizer,
      .special = flag("as-text") ? text::Tokenizer::Special::as_text : text::Tokenizer::Special::parse,
      .with_begin = flag("begin"),
      .with_special = !flag("skip-special")};
  std::ios::sync_with_stdio(false);
  std::cin.tie(nullptr);
  convert_lines([&](const host::JsonCursor& line, std::string& out) {
    if (decode)
      conversion.decode(line, out);
    else
      conversion.encode(line, out);
  });
  return host::stop_requested() ? exit_interrupted : exit_success;
}

}  // namespace retort::apps
