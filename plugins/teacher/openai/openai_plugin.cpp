// ABI glue of teacher.openai.
#include <cstdint>
#include <retort/host_secrets.hpp>
#include <retort/plugin.hpp>
#include <retort/teacher.hpp>
#include <string>
#include <utility>

#include "openai.h"

namespace {

namespace openai = retort::openai;

class OpenAiTeacher final : public retort::Teacher {
 public:
  struct Params {
    std::string base_url = "http://127.0.0.1:8080/v1";
    std::string api_key;
    std::string model;
    std::string system_prompt;
    double temperature = 0.0;
    double top_p = 1.0;
    std::int64_t n = 1;
    std::int64_t max_tokens = 1024;
    std::string token_limit_name = "max_tokens";
    std::int64_t seed = -1;
    std::int64_t top_logprobs = 0;
    std::int64_t concurrency = 8;
    double timeout = 60.0;
    std::int64_t retries = 5;
    double first_wait = 1.0;
    double longest_wait = 60.0;
  };
  static auto schema() {
    auto parameters = retort::params<Params>();
    what_is_asked(parameters);
    how_it_is_sent(parameters);
    return parameters;
  }
  explicit OpenAiTeacher(Params params) : client_(settings_of(std::move(params))) {}

  void complete(const retort::TeacherBatch& batch, const retort::ItemSink& responses) override {
    const bool done = client_.complete(
        batch.tools, batch.requests, [&](std::size_t index, const std::string& item) { responses.item(index, item); },
        &retort::should_stop);
    if (!done) throw retort::Stopped();
  }

 private:
  static void what_is_asked(retort::ParameterSet<Params>& parameters) {
    parameters.string("base_url", &Params::base_url)
        .doc("address of an API of OpenAI's kind; /chat/completions is added to it")
        .string("api_key", &Params::api_key)
        .secret_env()
        .doc("name of the environment variable that holds the key; empty: no key is sent")
        .string("model", &Params::model)
        .doc("as the server names it; empty: left to a server that has only one")
        .string("system_prompt", &Params::system_prompt)
        .doc("instructions before the messages of a request that has none; empty: none")
        .number("temperature", &Params::temperature)
        .at_least(0)
        .doc("of requests that name none; 0: the likeliest answer")
        .number("top_p", &Params::top_p)
        .above(0)
        .at_most(1)
        .doc("of requests that name none; 1 is off")
        .integer("n", &Params::n)
        .at_least(1)
        .at_most(128)
        .doc("answers to a request that names no number")
        .integer("max_tokens", &Params::max_tokens)
        .at_least(0)
        .unit("token")
        .doc("length of an answer at most; 0: left to the server")
        .string("token_limit_name", &Params::token_limit_name)
        .one_of({"max_tokens", "max_completion_tokens"})
        .doc("key that max_tokens is sent under; servers disagree")
        .integer("seed", &Params::seed)
        .at_least(-1)
        .doc("of requests that name none; -1: none is sent")
        .integer("top_logprobs", &Params::top_logprobs)
        .at_least(0)
        .at_most(20)
        .doc("log-probabilities of so many tokens at each place of the answers; 0: none");
  }
  static void how_it_is_sent(retort::ParameterSet<Params>& parameters) {
    parameters.integer("concurrency", &Params::concurrency)
        .at_least(1)
        .at_most(256)
        .unit("request")
        .doc("requests under way at once")
        .number("timeout", &Params::timeout)
        .above(0)
        .unit("s")
        .doc("of one try")
        .integer("retries", &Params::retries)
        .at_least(0)
        .doc("tries after the first, on status 408, 425, 429 and 5xx and where no answer comes; 0 is off")
        .number("first_wait", &Params::first_wait)
        .at_least(0)
        .unit("s")
        .doc("before the second try; doubles with each, unless the server says when (Retry-After)")
        .number("longest_wait", &Params::longest_wait)
        .at_least(0)
        .unit("s")
        .doc("before a try; a request that the server wants to wait longer has failed");
  }
  static openai::Settings settings_of(Params params) {
    openai::Settings settings;
    settings.base_url = std::move(params.base_url);
    if (!params.api_key.empty()) settings.key = retort::secret(params.api_key);
    settings.concurrency = static_cast<std::size_t>(params.concurrency);
    settings.timeout = params.timeout;
    settings.retry = {params.retries, params.first_wait, params.longest_wait};
    settings.chat = {
        std::move(params.model), std::move(params.system_prompt),    params.temperature, params.top_p,       params.n,
        params.max_tokens,       std::move(params.token_limit_name), params.seed,        params.top_logprobs};
    return settings;
  }

  openai::OpenAi client_;
};

}  // namespace

RETORT_PLUGIN(OpenAiTeacher, "teacher.openai", "1.0.0",
              "a model behind an HTTP API of OpenAI's kind (chat/completions)");
