"""Did predictions come true?"""
