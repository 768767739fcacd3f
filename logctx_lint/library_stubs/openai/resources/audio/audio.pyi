from openai.resources.audio.speech import AsyncSpeech
from openai.resources.audio.transcriptions import AsyncTranscriptions
from openai.resources.audio.translations import AsyncTranslations

class AsyncAudio:
    @property
    def transcriptions(self) -> AsyncTranscriptions: ...
    @property
    def translations(self) -> AsyncTranslations: ...
    @property
    def speech(self) -> AsyncSpeech: ...
