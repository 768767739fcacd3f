from openai._client import AsyncOpenAI as AsyncOpenAI
from openai.lib.azure import AsyncAzureOpenAI as AsyncAzureOpenAI
