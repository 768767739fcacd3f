from openai.resources.chat.completions.completions import AsyncCompletions

class AsyncChat:
    @property
    def completions(self) -> AsyncCompletions: ...
